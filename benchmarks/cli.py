"""What the command line itself takes: what everybody waits for, each time."""

import json
import statistics
import sys
from pathlib import Path

from benchmarks import runner_jobs
from benchmarks.bench import Bench, numbered
from benchmarks.measured import Measured
from benchmarks.report import Result, Row, spread, table
from cli.run.worker_files import worker_folder
from cluster.local.folders import cache_dir

MOST_SECONDS = 0.15
MOST_ADDED = 0.25
RUNS = 20
PAIRS = 11
_COMPLETION = ("COMP_WORDS=dppctl run ./", "COMP_CWORD=2", "_DPPCTL_COMPLETE=bash_complete")
_COMMANDS = {
    "`dppctl --help`": ("dppctl", "--help"),
    "`dppctl run --help`": ("dppctl", "run", "--help"),
    "completion of a pipeline": ("env", *_COMPLETION, "dppctl"),
}


def cli(bench: Bench) -> Result:
    """Measure help and completion, in turns, and a run of a pipeline that does nothing beside the worker alone."""
    workload = bench.new_folder()
    (workload / "pipeline-spec.yaml").write_text(json.dumps(runner_jobs.empty(workload, 1)))
    times: dict[str, list[float]] = {what: [] for what in _COMMANDS}
    for number in numbered(2 if bench.quick else RUNS + 1, "round"):
        for what, words in _COMMANDS.items():
            seconds = bench.program(workload, *map(_found, words)).wall
            if number > 1:  # the first one reads the disk
                times[what].append(seconds)
    rows = []
    for what, found in times.items():
        median = statistics.median(found)
        rows.append(Row(f"{what}, median", f"within {MOST_SECONDS} s", f"{median:.3f} s", median <= MOST_SECONDS))
    pairs = _pairs(bench, workload)
    added = [dppctl.wall - worker.wall for worker, dppctl in pairs]
    ratio = statistics.median(dppctl.wall / worker.wall for worker, dppctl in pairs)
    median = statistics.median(added)
    rows.append(
        Row(
            "`dppctl run` of a pipeline that does nothing: what it adds to the worker alone, median",
            f"within {MOST_ADDED} s",
            f"{median:.3f} s ({ratio:.2f} x)",
            median <= MOST_ADDED,
        )
    )
    details = [(what, spread(found)) for what, found in times.items()]
    details += [
        ("the worker alone, wall", spread([worker.wall for worker, _ in pairs])),
        ("`dppctl run`, wall", spread([dppctl.wall for _, dppctl in pairs])),
        ("the worker alone, CPU", spread([worker.all_cpu for worker, _ in pairs])),
        ("`dppctl run`, CPU", spread([dppctl.all_cpu for _, dppctl in pairs])),
        ("added, wall", spread(added)),
    ]
    how = f"{len(times['`dppctl --help`'])} rounds; {len(pairs)} pairs, each the other way round than the one before."
    return Result("The command line", rows, f"{how}\n\n{table(('what', 'median (range)'), details)}")


def _pairs(bench: Bench, workload: Path) -> list[tuple[Measured, Measured]]:
    """Return the worker alone and dppctl, after a pair that does not count."""
    alone = [str(bench.runtime.bin / "python"), str(worker_folder(cache_dir())), "run", "all"]
    pairs = []
    for number in numbered(2 if bench.quick else PAIRS + 1, "pair"):
        if number % 2:
            worker, dppctl = bench.program(workload, *alone), bench.dppctl(workload, "all")
        else:
            dppctl, worker = bench.dppctl(workload, "all"), bench.program(workload, *alone)
        if number > 1:
            pairs.append((worker, dppctl))
    return pairs


def _found(word: str) -> str:
    return str(Path(sys.executable).with_name("dppctl")) if word == "dppctl" else word
