"""A bot with ten thousand apps: its memory, how evenly it asks their repositories, and whether it keeps to a limit."""

import time
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.many_apps import App, apps_of, bot, configure, make, ops_commits, peak_memory, wait_for
from benchmarks.measured import memory_of
from benchmarks.report import Result, Row
from bot.limits import RECHECK_LIMIT, RECHECK_SHARE, RESYNC_SECONDS
from bot.store.store import Store
from tests.support.postgres import new_database

OPS, APPS, DEPLOYING = 20, 500, 1_000
MEGABYTES = 400.0
CALLS = 5_000  # that GitHub takes within an hour
CALLS_OF_A_LOOK = 2  # at a repository that the bot does not know yet: what it has, and a fetch
QUIET_SECONDS = 8.0  # without a new copy: the bot waits
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
        settings = {"RESYNC_SECONDS": str(resync), "GITHUB_CALLS_AN_HOUR": str(calls)}
        config = configure(folder, "bot", database, (folder / "forge").as_uri(), **settings)
        with bot(config):
            copies = _first_copies(config)
        said = "re-checked less often" in (config / "log").read_text()
        env = config / ".env"
        env.write_text(env.read_text().replace(f"AN_HOUR={calls}", "AN_HOUR=0"))
        started = time.monotonic()
        with bot(config) as process:
            wait_for(lambda: _are_known(store, folder, apps), "all apps are looked at", 1800)
            looked = time.monotonic() - started
            time.sleep(resync / 2)  # from then on each repository is asked at its own time
            rates, tree = _rates(store, process, resync / 2)
            peak = peak_memory(process)
        store.close()
    used, even = copies * CALLS_OF_A_LOOK, len(apps) / resync
    interval = len(apps) * 3600 / (RECHECK_SHARE * calls)
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
            f"… calls by the clock after a start, where GitHub takes {calls:,} an hour",
            f"at most {RECHECK_LIMIT:.0%}, then it waits; said at the start",
            f"{used:,}, {'said' if said else 'not said'}",
            used <= RECHECK_LIMIT * calls and said,
        ),
    ]
    deploying = sum(app.deploys for app in apps)
    details = (
        f"{OPS} ops repos; {deploying:,} of the apps have a pipeline and were deployed, the others have no "
        f"`.dppctl.yaml`; file://, PostgreSQL. All were looked at for the first time within {looked:.0f} s, then asked "
        f"once in {resync:.0f} s. With GitHub's limit the interval would be {interval / 3600:.1f} hours."
    )
    return Result(f"{len(apps):,} apps", rows, details)


def _first_copies(config: Path) -> int:
    """Return how many repositories a bot that has just started fetches, until it fetches no more."""
    found, since = 0, time.monotonic()
    while time.monotonic() - since < QUIET_SECONDS:
        time.sleep(0.5)
        if (now := sum(1 for _ in config.glob("state/*/*/dppctl-seen"))) > found or not now:
            found, since = now, time.monotonic()
    return found


def _are_known(store: Store, folder: Path, apps: list[App]) -> bool:
    time.sleep(1.0)  # to ask takes a while, and what is waited for needs the processors
    return len(store.settled.all()) >= len(apps) and ops_commits(folder, apps) >= sum(app.deploys for app in apps)


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
