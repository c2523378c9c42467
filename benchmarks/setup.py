"""How long a fresh clone takes until `make demo` can begin: `.venv`, with an empty home; and dpp's environment."""

import statistics
import subprocess
from dataclasses import dataclass
from pathlib import Path

from benchmarks.bench import Bench, numbered
from benchmarks.report import ROOT, Result, Row

MOST_SECONDS = 20.0
RUNS = 5
_DPP = "import sys; from pathlib import Path; from cluster.local.workers.dpp_environment import ensure_dpp_environment"


@dataclass(frozen=True)
class Times:
    """Seconds and CPU seconds of each run: of `.venv` with nothing cached, then in another clone; and of dpp's."""

    cold: list[tuple[float, float]]
    warm: list[tuple[float, float]]
    dpp: list[tuple[float, float]]


def setup(bench: Bench) -> Result:
    """Measure this checkout and, in turns, the one to compare with."""
    checkouts = {"this": ROOT, **({"the other": bench.against} if bench.against else {})}
    times = {name: Times([], [], []) for name in checkouts}
    for number in numbered(1 if bench.quick else RUNS, "set-up"):
        for name in list(checkouts)[:: 1 if number % 2 else -1]:
            _measure(bench, checkouts[name], times[name])
    cold = _median(times["this"].cold)
    rows = [
        Row(
            "`.venv` of a fresh clone, empty home, nothing cached",
            f"within {MOST_SECONDS:g} s",
            f"{cold[0]:.1f} s ({cold[1]:.1f} CPU s)",
            cold[0] <= MOST_SECONDS,
        )
    ]
    for name, found in times.items():
        of = "" if name == "this" else f", {name} checkout"
        more = [("`.venv`, nothing cached", found.cold)] if of else []
        more += [("`.venv`, packages cached", found.warm), ("dpp's environment, nothing cached", found.dpp)]
        for what, measured in more:
            seconds, cpu = _median(measured)
            rows.append(Row(f"… {what}{of}", "-", f"{seconds:.1f} s ({cpu:.1f} CPU s)", None))
    return Result("Setting up", rows, "`make .venv/run.stamp`; the index of packages is as near as the machine has it.")


def _measure(bench: Bench, checkout: Path, times: Times) -> None:
    home = bench.new_folder()
    for kept in (times.cold, times.warm):
        clone = bench.new_folder() / "dppctl"
        subprocess.run(
            ["git", "-c", "advice.detachedHead=false", "clone", "--quiet", str(checkout), str(clone)], check=True
        )
        found = bench.program(clone, *_in(home), "make", ".venv/run.stamp")
        kept.append((found.wall, found.all_cpu))
    home = bench.new_folder()
    make = f"{_DPP}; ensure_dpp_environment(Path(sys.argv[1]), None, print)"
    found = bench.program(clone, *_in(home), ".venv/bin/python", "-c", make, str(home / "dppctl"))
    times.dpp.append((found.wall, found.all_cpu))


def _in(home: Path) -> list[str]:
    return ["env", "--unset=UV_CACHE_DIR", f"HOME={home}", f"XDG_CACHE_HOME={home}/.cache"]


def _median(times: list[tuple[float, float]]) -> tuple[float, float]:
    return statistics.median(wall for wall, _ in times), statistics.median(cpu for _, cpu in times)
