"""200 people at once at each limit: exactly as many get a place as there are, and how long that takes."""

import threading
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.report import Result, Row
from cluster.usage.limit_rules import LimitReachedError
from cluster.usage.reservations import WantedRun
from cluster.usage.service import UsageService
from tests.support.postgres import new_database

AT_ONCE = 200
BAR_SECONDS = 1.0
LIMITS: Mapping[str, int] = {"runs": 10, "databases": 10, "pendingRuns": 10, "workerHours": 10}


def usage_limits(bench: Bench) -> Result:
    """Ask for places, on SQLite and on PostgreSQL."""
    rows = [_measure(bench.new_folder(), f"sqlite:///{bench.new_folder()}/usage.sqlite", name) for name in LIMITS]
    for name in LIMITS:
        with new_database(bench.new_folder()) as database:
            rows.append(_measure(bench.new_folder(), database, name))
    return Result(f"Usage: {AT_ONCE} at once at a limit", rows)


def _measure(folder: Path, url: str, name: str) -> Row:
    free = ", ".join(f"{each}: {LIMITS[each] if each == name else 'null'}" for each in LIMITS)
    (folder / "limits.yaml").write_text(f"default: {{{free}}}\ntotal: {{pendingRuns: null}}\n")
    service = UsageService(url, folder / "limits.yaml")
    begin = threading.Barrier(AT_ONCE + 1)

    def ask(number: int) -> str:
        begin.wait()
        try:
            service.reservations.reserve(WantedRun(f"run-{number}", "token:ann", database=True))
        except LimitReachedError as error:
            return error.name
        return "granted"

    with ThreadPoolExecutor(AT_ONCE) as threads:
        asked = [threads.submit(ask, number) for number in range(AT_ONCE)]
        begin.wait()
        started = time.monotonic()
        counts = Counter(each.result() for each in asked)
        seconds = time.monotonic() - started
    service.close()
    is_exact = counts == {"granted": LIMITS[name], name: AT_ONCE - LIMITS[name]}
    kind = url.partition(":")[0].partition("+")[0]
    bar = f"exactly {LIMITS[name]} granted, at most {BAR_SECONDS:.0f} s"
    measured = f"{counts['granted']} granted, {seconds:.2f} s"
    return Row(f"{name}, {kind}", bar, measured, is_exact and seconds <= BAR_SECONDS)
