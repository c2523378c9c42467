"""The pages of a large installation: how long answers take, quiet, while something runs, and beside live pages."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from benchmarks.bench import Bench, numbered
from benchmarks.load import Load, load
from benchmarks.measured import memory_of
from benchmarks.pages_store import HISTORY_APP, RUNS, fill, registration, size_of
from benchmarks.report import ROOT, Result, Row, spread, table
from bot.model.reports import SyncEvent
from bot.settings import load_settings
from bot.store.store import Store
from cli.servers.gunicorn import Receiver

RATE, P99_MS, ENVIRONMENT_MS, LIVE, LIVE_MB = 20, 100.0, 150.0, 200, 60.0
START, PLACE = "`/`", f"/apps/{HISTORY_APP}/staging"
PATHS = {
    START: "/",
    "`/`, filtered": "/?environment=staging&state=failed&page=2",
    f"an environment with {RUNS} runs of history": PLACE,
    "a deployment": "/deployments/600",
    "`/api/environments`": "/api/environments",
}


def pages(bench: Bench) -> Result:
    """Measure the pages in turns, in a store that is quiet and in one where a deployment goes on."""
    apps, deployments = (20, 600) if bench.quick else (200, 10_000)
    seconds, times = (2.0, 1) if bench.quick else (20.0, 3)
    config = bench.new_folder()
    (config / "apps.yaml").write_text(registration(apps))
    (config / ".env").write_text("DPPCTL_WEBHOOK_SECRETS=x\nDPPCTL_PORT=0\n")
    (config / "state").mkdir()
    settings = load_settings(config, {})
    fill(settings.database_url, apps, deployments)
    quiet: dict[str, list[Load]] = {name: [] for name in PATHS}
    busy: dict[str, list[Load]] = {name: [] for name in PATHS}
    with (config / "log").open("w") as log:
        server = Receiver(config, settings, log)
        try:
            for path in PATHS.values():
                _load(server.address, path, 1)  # warm
            for number in numbered(times, "round"):
                for name in PATHS if number % 2 else reversed(PATHS):
                    quiet[name].append(_load(server.address, PATHS[name], seconds))
                with _something_goes_on(settings.database_url):
                    for name in PATHS if number % 2 else reversed(PATHS):
                        busy[name].append(_load(server.address, PATHS[name], seconds))
            before = memory_of(server.pid)
            live, told, memory = _with_live_pages(server, settings.database_url, 20 if bench.quick else LIVE, seconds)
        finally:
            server.stop()
    p99 = {name: max(one.p99 for one in (*quiet[name], *busy[name])) for name in PATHS}
    environment = [*PATHS][2]
    what = f"with {apps} apps with 3 environments and {deployments:,} deployments, {RATE} requests a second"
    bad = sum(one.bad for found in (quiet, busy) for loads in found.values() for one in loads) + live.bad
    rows = [
        Row(f"{START} {what}: p99", f"< {P99_MS:.0f} ms", f"{p99[START]:.0f} ms", p99[START] < P99_MS),
        Row(f"{environment}: p99", f"< {ENVIRONMENT_MS:.0f} ms", f"{p99[environment]:.0f} ms",
            p99[environment] < ENVIRONMENT_MS),
        Row(f"{LIVE} live pages at once: memory", f"< {LIVE_MB:.0f} MB", f"{memory - before:.0f} MB more",
            memory - before < LIVE_MB),
        Row("… `/` beside them: p99", f"< {P99_MS:.0f} ms", f"{live.p99:.0f} ms", live.p99 < P99_MS),
        Row("answers other than 2xx", "0", str(bad), bad == 0),
    ]  # fmt: skip
    lines = [
        (name, *(spread([one.median for one in found[name]], " ms") for found in (quiet, busy)),
         *(spread([one.p99 for one in found[name]], " ms") for found in (quiet, busy)))
        for name in PATHS
    ]  # fmt: skip
    details = (
        f"gunicorn as `dppctl receive` has it, with SQLite ({size_of(settings.database_url):.0f} MB: each deployment "
        f"has a receipt of nine resources with ten fields). *Busy*: a deployment tells its progress twice a second, so "
        f"that all that is shown is read anew. The p99 above is the worst of all rounds, quiet and busy. {LIVE} live "
        f"pages asked {told['asked']:,} times for news in {seconds:.0f} seconds and were answered within "
        f"{told['p99']:.0f} ms (99 %), with a change twice a second. The sender shares the two cores.\n\n"
        + table(("", "median, quiet", "median, busy", "p99, quiet", "p99, busy"), lines)
    )
    return Result("Pages", rows, details)


def _load(address: str, path: str, seconds: float) -> Load:
    host = address.partition("//")[2]
    request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: text/html\r\n\r\n".encode()
    return load(address, seconds, 8, RATE, request)


def _with_live_pages(
    server: Receiver, database_url: str, count: int, seconds: float
) -> tuple[Load, dict[str, float], float]:
    """Return what `/` took beside live pages, what these say, and the server's memory meanwhile, in MiB."""

    command = [sys.executable, "-P", "-m", "benchmarks.live_pages", server.address, str(count), str(seconds + 5)]
    looking = subprocess.Popen(command, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE)
    try:
        with _something_goes_on(database_url):
            found = _load(server.address, "/", seconds)
            memory = memory_of(server.pid)
            told = json.loads(looking.communicate(timeout=seconds + 60)[0])
    finally:
        looking.kill()
        looking.wait()
    return found, told, memory


@contextmanager
def _something_goes_on(database_url: str) -> Iterator[None]:
    """Have a deployment tell its progress twice a second, as sync's reports do."""
    stopping = threading.Event()
    store = Store(database_url)

    def report() -> None:
        number = 0
        while not stopping.wait(0.5):
            number += 1
            event = {"ops_commit": "f" * 40, "app": "ann/app-1", "environment": "staging", "ref": "refs/tags/next",
                     "commit": "f" * 40, "phase": "progress", "time": datetime.now(UTC),
                     "message": f"./all: {number}00 rows", "log": f"line {number}\n"}  # fmt: skip
            store.deployments.report(SyncEvent.model_validate(event))

    thread = threading.Thread(target=report)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()
        store.close()
