"""What counting a profile costs, and comparing it with the one before: a part of the big job's CPU time.

The worker beside itself without the counting, in pairs: once where rows are objects in the sink, once where they are
lines, as a step of the workload's own has them.
"""

import json
import shutil
import statistics
import time
import zipapp
from pathlib import Path

from benchmarks import runner_jobs
from benchmarks.bench import Bench, numbered
from benchmarks.measured import Measured
from benchmarks.report import Result, Row, spread, table
from bot.data.compare import compare
from bot.model.receipt import Receipt
from worker.zipapp_builder import build, copy_sources

MOST_SHARE = 0.05
PAIRS = 7
COMPARISONS = 50
QUICK_SCALE = 0.02
ENGINE = "sqlite:///out.sqlite"
# What counts, in a copy of the worker's sources.
COUNTING_FILE = "worker/hooks/dppctl_wrapper.py"
LEFT_OUT = (
    "        profile.add(line, plain)\n",
    """\
        columns = batch.known_columns()
        if columns is None:
            profile.add_lines(batch.lines)
        else:
            profile.add_columns(columns, batch.count)
""",
)
JOBS = {
    "rows as objects": runner_jobs.big(runner_jobs.SQL),
    "rows as lines": runner_jobs.big({"run": "mark"}, runner_jobs.NEW_DUMP, {"run": "mark"}),
}


def profile(bench: Bench) -> Result:
    """Measure the share of the CPU time that profile and comparison take in the big job."""
    workers = bench.new_folder() / "with.pyz", bench.new_folder() / "without.pyz"
    build(workers[0])
    _build_without(bench.new_folder() / "sources", workers[1])
    rows, lines = [], []
    for title, make in JOBS.items():
        print(f"  {title}", flush=True)
        workload = bench.new_folder()
        (workload / "pipeline-spec.yaml").write_text(json.dumps(make(workload, QUICK_SCALE if bench.quick else 1)))
        ratios = []
        for number in numbered(1 if bench.quick else PAIRS, "pair"):
            order = workers if number % 2 else workers[::-1]
            found = {worker: _run(bench, worker, workload) for worker in order}
            with_it, without = (found[worker].all_cpu for worker in workers)
            ratios.append(with_it / without - 1)
            lines.append((title, number, f"{with_it:.2f}", f"{without:.2f}"))
        share = statistics.median(ratios)
        percents = [100 * ratio for ratio in ratios]
        bar = f"at most {MOST_SHARE:.0%}"
        rows.append(Row(f"the profile, {title}: share of CPU", bar, spread(percents, " %"), share <= MOST_SHARE))
    seconds = _comparison(workload / "receipt.json")
    rows.append(Row("comparing two of its receipts, and the sentence", "", f"{seconds * 1000:.1f} ms of CPU", None))
    return Result("The profile of the big job's data", rows, table(("job", "pair", "CPU s with it", "without"), lines))


def _run(bench: Bench, worker: Path, workload: Path) -> Measured:
    for name in ("out", "out.sqlite", "receipt.json"):
        shutil.rmtree(workload / name, ignore_errors=True)
        (workload / name).unlink(missing_ok=True)
    python = str(bench.runtime.bin / "python")
    settings = ["env", f"DPP_DB_ENGINE={ENGINE}"]
    return bench.program(workload, *settings, python, str(worker), "run", "--receipt", "receipt.json")


def _build_without(folder: Path, target: Path) -> None:
    """Build a worker that counts no profile. Raises RuntimeError when its sources are other ones."""
    copy_sources(folder)
    source = (folder / COUNTING_FILE).read_text()
    for counting in LEFT_OUT:
        if counting not in source:
            raise RuntimeError(f"{COUNTING_FILE} does not count in the way that this leaves out")
        source = source.replace(counting, "")
    (folder / COUNTING_FILE).write_text(source)
    zipapp.create_archive(folder, target, compressed=True)


def _comparison(receipt: Path) -> float:
    """Return the CPU seconds of one comparison."""
    after = Receipt.model_validate_json(receipt.read_text())
    started = time.process_time()
    for _ in range(COMPARISONS):
        compare(after, after)
    return (time.process_time() - started) / COMPARISONS
