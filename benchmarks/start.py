"""How long the command takes to say its help: what everybody waits for, each time."""

import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.report import Result, Row, spread

MOST_SECONDS = 0.3
RUNS = 20


def help_(bench: Bench) -> Result:
    times = [_seconds() for _ in range(3 if bench.quick else RUNS + 1)][1:]  # the first one reads the disk
    median = statistics.median(times)
    row = Row("`dppctl --help`, median", f"within {MOST_SECONDS} s", f"{median:.3f} s", median <= MOST_SECONDS)
    return Result("`dppctl --help`", [row], f"{len(times)} runs: {spread(times)}.")


def _seconds() -> float:
    started = time.perf_counter()
    command = [str(Path(sys.executable).with_name("dppctl")), "--help"]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started
