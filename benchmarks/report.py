"""What a benchmark found, and the page that tells it: docs/benchmarks.md."""

import json
import os
import platform
import statistics
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parent.parent
HOW = """\
## How it is measured

- Both sides run in the same environment (the one that `dppctl run` makes for dpp), with the same spec, in pairs:
  one run of each, and the next pair the other way round, so that what slows the machine down hits both.
- CPU time is that of all processes. A small program starts the command and is made the one to which orphans fall,
  so that the sum holds those that nobody waits for too. What dppctl leaves running on purpose (the supervisor, which
  serves the database's web pages and the storage) counts up to the moment the command ends. Not in the sum, on
  either side: the PostgreSQL server and the HTTP server that gives the job's files.
- The memory of all processes is looked at every 0.05 s, in runs that count for nothing else; what several share
  counts once (PSS).
- Other tools (dataflows, dlt, pandas) read the same files into the same database, each in an environment with pinned
  releases; what they leave out they do not pay for.
- Of real public specs the plans are listed, nothing is run; `DPPCTL_PUBLIC_SPECS=FOLDER` has copies of them.
- Every run of the big job is checked: all rows must be in the database.
- The worker's memory is the kernel's own record of its peak (VmHWM), of that one process.
- `PYTHONUNBUFFERED` and `PYTHONDONTWRITEBYTECODE` are unset: they slow dpp down, and would flatter dppctl.
"""


@dataclass(frozen=True)
class Row:
    """One figure and whether it met its bar; None: it has none, or was not measured, and `measured` says why."""

    what: str
    bar: str
    measured: str
    met: bool | None


@dataclass
class Result:
    """`details`: Markdown. `load`: the machine's load averages before and after; `measured`: when, and on what."""

    title: str
    rows: list[Row]
    details: str = ""
    load: list[str] = field(default_factory=list)
    measured: str = field(default_factory=lambda: f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC. {machine()}")


def merge(file: Path, fresh: dict[str, Result], order: Sequence[str]) -> dict[str, Result]:
    """Keep these results in a JSON file, beside those of other benchmarks; return all that it then holds, in order."""
    kept = json.loads(file.read_text()) if file.exists() else {}
    kept |= {name: asdict(result) for name, result in fresh.items()}
    file.write_text(json.dumps({name: kept[name] for name in order if name in kept}, indent=1) + "\n")
    return {
        name: Result(**{**kept[name], "rows": [Row(**row) for row in kept[name]["rows"]]})
        for name in order
        if name in kept
    }


def page(results: dict[str, Result], quick: bool) -> str:
    """Return the whole page, in Markdown. `results` by the names that `--only` takes."""
    parts = ["# Benchmarks", ""]
    if quick:
        parts += ["**A quick try: small data, few runs. These numbers mean nothing.**", ""]
    parts += ["Written by `make bench`; each part says when, and on what machine and commit.", ""]
    lines = []
    for name, result in results.items():
        for row in result.rows:
            met = {True: "met", False: "**missed**", None: ""}[row.met]
            repeat = f"`.venv/bin/python -m benchmarks --only {name}`"
            lines.append((row.what, row.bar, row.measured, met, repeat))
    parts += [table(("what", "bar", "measured", "", "to repeat"), lines), ""]
    for result in results.values():
        parts += [f"## {result.title}", "", result.details.strip(), ""]
        parts += [f"Measured {result.measured}", ""]
        parts += [f"Load average (1, 5, 15 min) before: {result.load[0]}; after: {result.load[1]}.", ""]
    return "\n".join([*parts, HOW])


def table(head: Sequence[str], lines: Iterable[Sequence[object]]) -> str:
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in rows)


def spread(values: Sequence[float], unit: str = " s") -> str:
    """Return the median and the range in words."""
    return f"{statistics.median(values):.2f}{unit} ({min(values):.2f} to {max(values):.2f})"


def load() -> str:
    return ", ".join(f"{value:.2f}" for value in os.getloadavg())


def machine() -> str:
    models = [line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    memory = next((int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    return (
        f"Machine: {os.cpu_count()} x {models[0] if models else platform.machine()}, {memory / 2**20:.1f} GiB memory, "
        f"Linux {platform.release()}, Python {platform.python_version()}; dppctl at commit {commit or 'unknown'}."
    )


def _lines(file: str) -> list[str]:
    return Path(file).read_text().splitlines()
