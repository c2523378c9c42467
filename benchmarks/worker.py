"""What the worker itself costs beside dpp: its memory, its share of the CPU time, and a flood of log lines."""

from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.databases import Sqlite
from benchmarks.job import big_job
from benchmarks.measured import Measured
from benchmarks.report import Result, Row, table

MOST_MEMORY = 40  # MiB
MOST_SHARE = 0.01
MOST_RATIO = 1.10
LINES = 1_000_000
FEW_LINES = 1_000
CHATTY = """\
import logging

from datapackage_pipelines.wrapper import ingest, spew

parameters, datapackage, resources = ingest()
for number in range(parameters["lines"]):
    logging.info("line %d of a processor that tells everything it does", number)
spew(datapackage, resources)
"""


def worker(bench: Bench) -> Result:
    """Measure the worker in a run of the big job."""
    with big_job(bench) as (workload, rows):
        found = bench.dppctl(workload, "./dump-to-db", "--db", Sqlite(bench.new_folder()).fresh(), watch="worker")
    memory, cpu = _of_worker(found)
    share = cpu / found.all_cpu
    return Result(
        "The worker during the big job",
        [
            Row("the worker's own memory, peak", f"under {MOST_MEMORY} MB", _megabytes(memory), _is_small(memory)),
            Row(
                "progress events: the worker's own share of the CPU",
                f"under {MOST_SHARE:.0%}",
                f"{share:.2%}",
                share < MOST_SHARE,
            ),
        ],
        f"{rows} rows into SQLite. The worker's process, which reads dpp's progress lines, makes events of them and "
        f"writes the receipt, took {cpu:.2f} s of CPU time from its start to its end; all processes together "
        f"{found.all_cpu:.2f} s.",
    )


def log_lines(bench: Bench) -> Result:
    """Measure a processor that logs a million lines: plain dpp with --verbose beside dppctl, with it and without."""
    lines = FEW_LINES * 20 if bench.quick else LINES
    workload, quiet = _chatty(bench, lines), _chatty(bench, FEW_LINES)
    plain = bench.dpp(workload, "sqlite://", "--verbose", "./chatty")
    verbose = bench.dppctl(workload, "--verbose", "./chatty", watch="worker")
    silent = bench.dppctl(workload, "./chatty", watch="worker")
    few = bench.dppctl(quiet, "./chatty", watch="worker")
    memory, before = max(_of_worker(verbose)[0], _of_worker(silent)[0]), _of_worker(few)[0]
    ratio = silent.wall / plain.wall
    runs = [("`dpp run --verbose`", lines, plain), ("`dppctl run --verbose`", lines, verbose)]
    runs += [("`dppctl run`", lines, silent), ("`dppctl run`", FEW_LINES, few)]
    told = [
        (what, number, f"{run.wall:.1f}", f"{run.all_cpu:.1f}", _megabytes(run.worker_memory))
        for what, number, run in runs
    ]
    return Result(
        f"{lines:,} log lines from a processor",
        [
            Row(
                f"{lines:,} log lines: the worker's memory, peak",
                f"under {MOST_MEMORY} MB",
                f"{_megabytes(memory)} ({_megabytes(before)} with {FEW_LINES:,} lines)",
                _is_small(memory),
            ),
            Row(
                f"{lines:,} log lines, wall: `dppctl run` / `dpp run --verbose`",
                f"at most {MOST_RATIO:.2f} x (the processor isn't held up)",
                f"{ratio:.3f} x",
                ratio <= MOST_RATIO,
            ),
            Row(
                f"{lines:,} log lines, wall: `dppctl run --verbose` / `dpp run --verbose`",
                "none: dppctl shows each line",
                f"{verbose.wall / plain.wall:.3f} x",
                None,
            ),
        ],
        table(("command", "lines", "wall s", "CPU s", "worker's memory"), told),
    )


def _chatty(bench: Bench, lines: int) -> Path:
    workload = bench.new_folder()
    (workload / "chatty.py").write_text(CHATTY)
    spec = '{"chatty": {"pipeline": [{"run": "chatty", "parameters": {"lines": %d}}]}}'
    (workload / "pipeline-spec.yaml").write_text(spec % lines)
    return workload


def _of_worker(found: Measured) -> tuple[float, float]:
    """Return the worker's memory in MiB and its CPU seconds. Raises RuntimeError when it was not seen."""
    if found.worker_memory is None or found.worker_cpu is None:
        raise RuntimeError("no process of the worker was seen")
    return found.worker_memory, found.worker_cpu


def _is_small(memory: float) -> bool:
    return memory * 2**20 < MOST_MEMORY * 10**6


def _megabytes(memory: float | None) -> str:
    return "" if memory is None else f"{memory * 2**20 / 10**6:.1f} MB"
