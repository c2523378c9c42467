"""The runner beside plain `dpp run` in dpp's own environment: the same specs and files, whole commands, in pairs.

The first two jobs are done by other tools too, and the first with ten times the rows. Memory is measured in runs of
their own, as looking at it takes time.
"""

import json
import shutil
import statistics
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from benchmarks import peers, runner_jobs
from benchmarks.bench import Bench, numbered
from benchmarks.databases import Postgres, Sqlite, open_postgres
from benchmarks.job import ROWS
from benchmarks.measured import Measured
from benchmarks.report import Result, Row, spread, table

QUICK_SCALE = 0.02
MANY = 10  # times the rows
MEMORY_SHARE = 0.5
PEER_RUNS = 3
Pair = tuple[Measured, Measured]
"""Plain dpp, dppctl."""


@dataclass(frozen=True)
class Job:
    """A job, how many times as long and as much CPU dpp is to take at least, and what is aimed at."""

    title: str
    make: runner_jobs.Make
    wall: float
    wall_aim: float
    cpu: float
    cpu_aim: float
    pairs: int = 3
    database: str = ""


JOBS = {
    "postgres": Job("90,088 rows to PostgreSQL", runner_jobs.big(runner_jobs.SQL), 2.5, 4, 4, 5, 3, "postgresql"),
    "sqlite": Job("90,088 rows to SQLite", runner_jobs.big(runner_jobs.SQL), 2.5, 3.5, 3.5, 5, 3, "sqlite"),
    "new-dump": Job("load_resource, dump_to_path", runner_jobs.big(runner_jobs.NEW_DUMP), 2.7, 4, 4, 5),
    "old-dump": Job("load_resource, dump.to_path", runner_jobs.big(runner_jobs.OLD_DUMP), 2, 3, 3.3, 4),
    "million": Job("six standard steps, 1,000,000 rows", runner_jobs.million, 5, 6, 5, 8, 1),
    "custom": Job(
        "a step of the workload's own", runner_jobs.big({"run": "mark"}, runner_jobs.NEW_DUMP), 2.6, 3.5, 3.2, 4
    ),
    "nothing": Job("a pipeline that does nothing", runner_jobs.empty, 1.5, 2.5, 1.9, 3, 7),
    "small": Job("20 small pipelines", runner_jobs.small, 12, 15, 20, 25, 1),
}


def benchmark(name: str) -> Callable[[Bench], Result]:
    """Return the benchmark of one of the JOBS."""
    return lambda bench: _measured(bench, name)


def _measured(bench: Bench, name: str) -> Result:
    job = JOBS[name]
    with ExitStack() as stack:
        database: Sqlite | Postgres | None = None
        if job.database == "sqlite":
            database = Sqlite(bench.new_folder())
        elif job.database:
            database = stack.enter_context(open_postgres(bench.new_folder()))
            if database is None:
                missing = Row(f"{job.title}: dpp / dppctl", "", "PostgreSQL isn't installed", None)
                return Result(f"The runner: {job.title}", [missing])
        scale = QUICK_SCALE if bench.quick else 1
        sides = _Sides(bench, job, database, scale)
        pairs = sides.pairs(1 if bench.quick else job.pairs, warm=not bench.quick and job.pairs > 1)
        rows = [_ratio(job, pairs, "wall", job.wall, job.wall_aim), _ratio(job, pairs, "CPU", job.cpu, job.cpu_aim)]
        details = _table(pairs)
        if database is not None:
            more, told = _of_peers(bench, job, sides, database, statistics.median(_of(pairs, 1, "wall")))
            rows += more
            details += f"\n\n{told}"
        if name == "postgres":
            rows += _of_memory(sides, _Sides(bench, job, database, scale * MANY))
    return Result(f"The runner: {job.title}", rows, details)


class _Sides:
    """Runs a job by dpp and by dppctl."""

    def __init__(self, bench: Bench, job: Job, database: Sqlite | Postgres | None, scale: float) -> None:
        self._bench = bench
        self._database = database
        self.workload = bench.new_folder()
        (self.workload / "pipeline-spec.yaml").write_text(json.dumps(job.make(self.workload, scale)))
        self._rows = sum(max(1, round(count * scale)) for count in ROWS.values())

    def dpp(self, watch: str = "") -> Measured:
        """Run plain dpp."""
        return self._checked(self._bench.dpp(self.workload, self._fresh() or "sqlite://", "all", watch=watch))

    def dppctl(self, watch: str = "") -> Measured:
        """Run dppctl."""
        fresh = self._fresh()
        return self._checked(self._bench.dppctl(self.workload, "all", *(["--db", fresh] if fresh else []), watch=watch))

    def pairs(self, number: int, warm: bool) -> list[Pair]:
        """Return the pairs, each the other way round than the one before; warm: after a pair that does not count."""
        if warm:
            self.dpp()
            self.dppctl()
        pairs = []
        for pair in numbered(number, "pair"):
            found = [run() for run in ((self.dpp, self.dppctl) if pair % 2 else (self.dppctl, self.dpp))]
            pairs.append((found[0], found[1]) if pair % 2 else (found[1], found[0]))
        return pairs

    def _fresh(self) -> str | None:
        shutil.rmtree(self.workload / "out", ignore_errors=True)
        return self._database.fresh() if self._database else None

    def _checked(self, found: Measured) -> Measured:
        if self._database and self._database.rows() != self._rows:
            raise RuntimeError(f"{self._database.rows()} rows are in the database, not {self._rows}")
        return found


def _of_peers(bench: Bench, job: Job, sides: _Sides, database: Sqlite | Postgres, ours: float) -> tuple[list[Row], str]:
    """Return the rows, and a table, of the other tools; ours: dppctl's seconds."""
    rows, lines = [], []
    for tool in peers.TOOLS:
        what = f"{job.title}: {tool} / dppctl, wall"
        python = bench.runtime.bin / "python" if tool == "dataflows" else peers.python_of(tool)
        if python is None:
            rows.append(Row(what, "", f"not measured: {tool} cannot be installed here", None))
            continue
        program = bench.new_folder() / "program.py"
        program.write_text(peers.PROGRAMS[tool])
        found = []
        for _ in numbered(1 if bench.quick else PEER_RUNS, tool):
            engine = database.fresh().replace("postgresql:", "postgresql+psycopg:")
            found.append(bench.program(sides.workload, str(python), str(program), "data", engine))
        lines += [(tool, f"{each.wall:.2f}", f"{each.all_cpu:.2f}") for each in found]
        ratio = statistics.median(each.wall for each in found) / ours
        bar = None if tool == "pandas" and job.database == "sqlite" else 1
        text = "" if bar is None else "at least level" if tool == "pandas" else "more than 1 x"
        rows.append(Row(what, text, f"{ratio:.2f} x", None if bar is None else ratio >= bar))
    return rows, table(("tool", "wall s", "CPU s"), lines)


def _of_memory(sides: _Sides, many: _Sides) -> list[Row]:
    """Return the rows on the memory of all processes together; many: the same with ten times the rows."""
    print("  memory", flush=True)
    dpp, dppctl = (run("tree").tree_memory or 0 for run in (sides.dpp, sides.dppctl))
    dpp_many, dppctl_many = many.dpp("tree"), many.dppctl("tree")
    share, growth = dppctl / dpp, (dppctl_many.tree_memory or 0) / dppctl
    return [
        Row(
            "… memory of all processes, peak: dppctl / dpp",
            f"at most {MEMORY_SHARE} x",
            f"{share:.2f} x ({dppctl:.0f} MiB, {dpp:.0f} MiB)",
            share <= MEMORY_SHARE,
        ),
        Row(
            f"… with {MANY} times the rows: dppctl's memory",
            "the same (within 1.15 x)",
            f"{growth:.2f} x ({dppctl_many.tree_memory:.0f} MiB; dpp {dpp_many.tree_memory:.0f} MiB)",
            growth <= 1.15,
        ),
        Row(
            f"… with {MANY} times the rows, wall and CPU: dpp / dppctl",
            "",
            f"{dpp_many.wall / dppctl_many.wall:.2f} x, {dpp_many.all_cpu / dppctl_many.all_cpu:.2f} x",
            None,
        ),
    ]


def _ratio(job: Job, pairs: list[Pair], label: str, bar: float, aim: float) -> Row:
    what = "wall" if label == "wall" else "all_cpu"
    ratios = [before / after for before, after in zip(_of(pairs, 0, what), _of(pairs, 1, what), strict=True)]
    ratio = statistics.median(ratios)
    return Row(
        f"{job.title}, {label}: dpp / dppctl", f"at least {bar} x, aim {aim} x", spread(ratios, " x"), ratio >= bar
    )


def _of(pairs: list[Pair], side: int, what: str) -> list[float]:
    return [getattr(pair[side], what) for pair in pairs]


def _table(pairs: list[Pair]) -> str:
    lines = [
        (number, *(f"{getattr(found, what):.2f}" for found in pair for what in ("wall", "all_cpu")))
        for number, pair in enumerate(pairs, 1)
    ]
    return table(("pair", "dpp wall s", "dpp CPU s", "dppctl wall s", "dppctl CPU s"), lines)
