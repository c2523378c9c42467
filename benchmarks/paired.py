"""`dppctl run` beside plain `dpp run`: the big job on two databases, and a pipeline that does nothing."""

import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.bench import Bench, numbered
from benchmarks.databases import Postgres, Sqlite, open_postgres
from benchmarks.job import make_job, served, write_spec
from benchmarks.measured import Measured
from benchmarks.report import Result, Row, spread, table

MOST_RATIO = 1.10
MOST_MORE_SECONDS = 0.7
BIG_PAIRS = 5
EMPTY_PAIRS = 10
EMPTY = '{"empty": {"pipeline": [{"run": "add_metadata", "parameters": {"title": "empty"}}]}}'

Pair = tuple[Measured, Measured]
"""Plain dpp, dppctl."""


def big_sqlite(bench: Bench) -> Result:
    return _big(bench, "SQLite", Sqlite(bench.new_folder()))


def big_postgres(bench: Bench) -> Result:
    with open_postgres(bench.new_folder()) as database:
        if database is None:
            missing = Row("big job on PostgreSQL", f"at most {MOST_RATIO:.2f} x", "PostgreSQL isn't installed", None)
            return Result("The big job on PostgreSQL", [missing])
        return _big(bench, "PostgreSQL", database)


def empty(bench: Bench) -> Result:
    workload = bench.new_folder()
    (workload / "pipeline-spec.yaml").write_text(EMPTY)
    pairs = _pairs(
        1 if bench.quick else EMPTY_PAIRS,
        lambda: bench.dpp(workload, "sqlite://", "./empty"),
        lambda: bench.dppctl(workload, "./empty"),
    )
    more = _median(pairs, 1, "wall") - _median(pairs, 0, "wall")
    row = Row(
        "empty pipeline, wall: what dppctl adds",
        f"at most {MOST_MORE_SECONDS} s",
        f"{more:+.2f} s (dpp {_median(pairs, 0, 'wall'):.2f} s, dppctl {_median(pairs, 1, 'wall'):.2f} s)",
        more <= MOST_MORE_SECONDS,
    )
    return Result(
        "A pipeline that does nothing", [row], "`dppctl run ./empty` beside `dpp run ./empty`.\n\n" + _told(pairs)
    )


@contextmanager
def big_job(bench: Bench) -> Iterator[tuple[Path, int]]:
    """Make the big job's workload, serve its data while this lasts; give it and its number of rows."""
    data = bench.new_folder() / "data"
    rows = make_job(data, 0.02 if bench.quick else 1)
    with served(data) as url:
        workload = bench.new_folder()
        write_spec(workload, url)
        yield workload, rows


def _big(bench: Bench, name: str, database: Sqlite | Postgres) -> Result:
    with big_job(bench) as (workload, rows):

        def checked(found: Measured) -> Measured:
            if database.rows() != rows:
                raise RuntimeError(f"{database.rows()} rows are in the database, not {rows}")
            return found

        pairs = _pairs(
            1 if bench.quick else BIG_PAIRS,
            lambda: checked(bench.dpp(workload, database.fresh(), "./dump-to-db")),
            lambda: checked(bench.dppctl(workload, "./dump-to-db", "--db", database.fresh())),
        )
    result_rows = []
    for what, label in (("wall", "wall"), ("all_cpu", "CPU")):
        ratio = _median(pairs, 1, what) / _median(pairs, 0, what)
        result_rows.append(
            Row(
                f"big job on {name}, {label}: dppctl / dpp",
                f"at most {MOST_RATIO:.2f} x",
                f"{ratio:.3f} x",
                ratio <= MOST_RATIO,
            )
        )
    details = f"{rows} rows, 9 resources: `dppctl run ./dump-to-db --db {database.shown}` beside `dpp run ./dump-to-db`"
    return Result(f"The big job on {name}", result_rows, f"{details}.\n\n{_told(pairs)}")


def _pairs(number: int, plain: Callable[[], Measured], ours: Callable[[], Measured]) -> list[Pair]:
    """Run the pairs, and before them a pair that does not count, so that files and bytecode are in memory."""
    plain()
    ours()
    pairs = []
    for pair in numbered(number, "pair"):
        if pair % 2:
            first = plain()
            pairs.append((first, ours()))
        else:
            second = ours()
            pairs.append((plain(), second))
    return pairs


def _median(pairs: list[Pair], side: int, what: str) -> float:
    return statistics.median(_values(pairs, side, what))


def _values(pairs: list[Pair], side: int, what: str) -> list[float]:
    return [getattr(pair[side], what) for pair in pairs]


def _told(pairs: list[Pair]) -> str:
    lines = [
        (
            number,
            f"{dpp.wall:.2f}",
            f"{ours.wall:.2f}",
            f"{ours.wall / dpp.wall:.3f}",
            f"{dpp.all_cpu:.2f}",
            f"{ours.all_cpu:.2f}",
            f"{ours.all_cpu / dpp.all_cpu:.3f}",
            f"{ours.left_cpu:.2f}",
        )
        for number, (dpp, ours) in enumerate(pairs, 1)
    ]
    head = ("pair", "dpp wall s", "dppctl wall s", "ratio", "dpp CPU s", "dppctl CPU s", "ratio", "of it: left running")
    left = pairs[-1][1].left
    medians = [
        f"- {name} {label}: {spread(_values(pairs, side, what))}"
        for side, name in ((0, "dpp"), (1, "dppctl"))
        for what, label in (("wall", "wall"), ("all_cpu", "CPU"))
    ]
    return "\n".join([table(head, lines), "", *medians, f"- processes that dppctl left running: {len(left)}"])
