"""A bot with ten thousand apps: its memory, how evenly it asks their repositories, and whether it keeps to a limit."""

import time
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.many_apps import App, apps_of, bot, configure, git_server, make, ops_commits, wait_for
from benchmarks.measured import memory_of, peak_memory
from benchmarks.report import Result, Row
from bot.limits import GITHUB_CALLS_AN_HOUR, RECHECK_LIMIT, RESYNC_SECONDS
from bot.rechecks import interval_of
from bot.store.store import Store
from tests.support.postgres import new_database

OPS, APPS, DEPLOYING = 20, 500, 1_000
MEGABYTES = 400.0
CALLS = 1_000  # that a forge takes within an hour; GitHub takes five times as many, and would need as many minutes here
QUIET_SECONDS = 8.0  # without a call: the bot waits
UNEVEN = 1.25  # times as many as on average, in PART_SECONDS
PART_SECONDS = 10.0


def memory(bench: Bench) -> Result:
    """Measure a bot that knows none of the apps, until it has asked all of them once more."""
    apps = apps_of(2, 15, 10) if bench.quick else apps_of(OPS, APPS, DEPLOYING)
    calls, resync = (40, 20.0) if bench.quick else (CALLS, RESYNC_SECONDS)
    folder = bench.new_folder()
    make(folder, apps)
    with new_database(folder) as database:
        store = Store(database)
        with git_server(folder) as (url, _, _):
            settings = {"RESYNC_SECONDS": str(resync), "GITHUB_CALLS_AN_HOUR": str(calls)}
            limited = configure(folder, "limited", database, url, **settings)
            with bot(limited):
                used = _calls(folder / "calls")
        said = "re-checked less often" in (limited / "log").read_text()
        config = configure(folder, "bot", database, (folder / "forge").as_uri(), RESYNC_SECONDS=str(resync))
        started = time.monotonic()
        with bot(config) as process:
            wait_for(lambda: _are_known(store, folder, apps), "all apps are looked at", 1800)
            looked = time.monotonic() - started
            time.sleep(resync / 2)  # from then on each repository is asked at its own time
            rates, tree = _rates(store, process, resync / 2)
            peak = peak_memory(process) or 0.0
        store.close()
    even = len(apps) / resync
    interval = interval_of(len(apps), resync, GITHUB_CALLS_AN_HOUR)
    rows = [
        Row(
            f"memory of a bot with {len(apps):,} apps, peak",
            f"under {MEGABYTES:.0f} MB",
            f"{peak:.0f} MB; with all its gits {tree:.0f} MB",
            peak < MEGABYTES,
        ),
        Row(
            f"… repositories asked a second, in parts of {PART_SECONDS:.0f} s",
            f"at most {UNEVEN:g} x the {even:.1f} of an even spread",
            f"{min(rates):.1f} to {max(rates):.1f}",
            max(rates) <= UNEVEN * even,
        ),
        Row(
            f"… calls by the clock after a start, where the forge takes {calls:,} an hour",
            f"it waits from {RECHECK_LIMIT:.0%} on, and says so at its start",
            f"{used:,}, {'said' if said else 'not said'}",
            used <= calls and said,
        ),
    ]
    deploying = sum(app.deploys for app in apps)
    details = (
        f"{OPS} ops repos; {deploying:,} of the apps have a pipeline and were deployed, the others have no "
        f"`.dppctl.yaml`; file://, PostgreSQL. All were looked at for the first time within {looked:.0f} s, then asked "
        f"once in {resync:.0f} s. By GitHub's limit, "
        f"{GITHUB_CALLS_AN_HOUR:,} calls an hour, the interval would be {interval / 3600:.1f} hours."
    )
    return Result(f"{len(apps):,} apps", rows, details)


def _calls(file: Path) -> int:
    """Return how often the server is called by a bot that has just started, until it is not called any more."""
    found, since = 0, time.monotonic()
    while time.monotonic() - since < QUIET_SECONDS:
        time.sleep(0.5)
        if (now := file.read_bytes().count(b"\n") if file.exists() else 0) > found or not now:
            found, since = now, time.monotonic()
    return found


def _are_known(store: Store, folder: Path, apps: list[App]) -> bool:
    """Return whether each app was looked at; those that deploy are settled at their next look only."""
    time.sleep(1.0)  # to ask takes a while, and what is waited for needs the processors
    deploying = sum(app.deploys for app in apps)
    return len(store.settled.all()) >= len(apps) - deploying and ops_commits(folder, apps) == deploying


def _rates(store: Store, process: int, seconds: float) -> tuple[list[float], float]:
    """Return how many repositories were looked at a second, in each part of that time, and all processes' memory."""
    rates, most = list[float](), 0.0
    end, now, before = time.monotonic() + seconds, time.monotonic(), store.totals.read()["reconciles"]
    while now < end:
        since = now
        while (now := time.monotonic()) < since + PART_SECONDS:
            time.sleep(1.0)
            most = max(most, memory_of(process))
        looks = store.totals.read()["reconciles"]
        rates.append((looks - before) / (now - since))
        before = looks
    return rates, most
