"""Webhook deliveries: how many a second, and how long an answer takes; beside Debian's `webhook` (Go)."""

import json
import shutil
import socket
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from benchmarks.bench import Bench, numbered
from benchmarks.load import BODY_BYTES, SECRET, Load, load
from benchmarks.report import Result, Row, spread, table
from bot.settings import load_settings
from bot.store.store import Store
from cli.limits import RECEIVER_THREADS, RECEIVER_WORKERS
from cli.servers.gunicorn import APPLICATION, Receiver

CONNECTIONS = 32
FLASK = "dppctl, with deliveries through Flask (`create_app(…, shortcut=False)`)"
OURS, AFTER, BEFORE = "dppctl", "`webhook` that waits for /bin/true", "`webhook` that does not wait"
APPS = "apps:\n- appRepoPath: ann/app\n  opsRepoPath: ann/ops\n  environments: [staging]\n"
PER_SECOND, P99_MS = 1000.0, 50.0


def receiver(bench: Bench) -> Result:
    """Measure ours and the other in turns, then ours alone at 100 a second."""
    seconds, times = (1.0, 1) if bench.quick else (10.0, 5)
    loads: dict[str, list[Load]] = {OURS: [], FLASK: [], AFTER: [], BEFORE: []}
    with (
        _ours(bench) as ours,
        _ours(bench, "cli.servers.pages_wsgi:receiver(shortcut=False)") as flask,
        _other(bench, waits=True) as after,
        _other(bench, waits=False) as before,
    ):
        named = ((OURS, ours), (FLASK, flask), (AFTER, after), (BEFORE, before))
        urls = {name: url for name, url in named if url}
        for url in urls.values():
            load(url, 1, CONNECTIONS)  # warm
        for number in numbered(times, "round"):
            for name in urls if number % 2 else reversed(urls):
                loads[name].append(load(urls[name], seconds, CONNECTIONS))
        paced, paced_flask = (load(url, 2 if bench.quick else 30, CONNECTIONS, rate=100) for url in (ours, flask))
    rates = {name: statistics.median(one.per_second for one in found) for name, found in loads.items() if found}
    rate, bad = rates[OURS], sum(one.bad for one in [*loads[OURS], paced])
    rows = [
        Row("deliveries a second, saturated", f">= {PER_SECOND:.0f}", f"{rate:.0f}", rate >= PER_SECOND),
        Row("p99 of the answers at 100 a second", f"<= {P99_MS:.0f} ms", f"{paced.p99:.1f} ms", paced.p99 <= P99_MS),
        Row("answers other than 2xx", "0", str(bad), bad == 0),
    ]
    for name in (FLASK, AFTER, BEFORE):
        if name == FLASK:
            rows.append(Row(f"beside {name}", "none", f"{rate / rates[name]:.2f} times", None))
        elif name in rates:
            rows.append(Row(f"beside {name}", "> 1.00", f"{rate / rates[name]:.2f} times", rate > rates[name]))
        else:
            rows.append(Row(f"beside {name}", "> 1.00", "not measured: `webhook` is not installed", None))
    lines = [
        (name, spread([one.per_second for one in found], "/s"), spread([one.p99 for one in found], " ms"))
        for name, found in loads.items()
        if found
    ]
    lines += [
        (f"{name}, at 100/s", f"{found.per_second:.0f}/s", f"{found.p99:.1f} ms (median {found.median:.1f} ms)")
        for name, found in ((OURS, paced), (FLASK, paced_flask))
    ]
    details = (
        f"Push payloads of {BODY_BYTES / 1000} KB, signed, over {CONNECTIONS} kept connections, from a process on the "
        f"same machine. {OURS}: gunicorn, {RECEIVER_WORKERS} processes with {RECEIVER_THREADS} threads; "
        f"a delivery is in SQLite before "
        f"it is answered. `webhook` is Debian's; it checks the HMAC and starts /bin/true, and records nothing. As it "
        f"comes it answers before the command has run; told to return the command's output it answers after.\n\n"
        f"What limits ours is CPU: 1.5 to 2 ms for each delivery, some 0.7 ms of them gunicorn's (profiled apart from "
        f"this run), on two cores that the sender shares. `webhook` is compiled, and keeps nothing.\n\n"
        + table(("", "deliveries a second: median (range)", "p99: median (range)"), lines)
    )
    return Result("Receiver", rows, details)


@contextmanager
def _ours(bench: Bench, application: str = APPLICATION) -> Iterator[str]:
    config = bench.new_folder()
    (config / "apps.yaml").write_text(APPS)
    (config / ".env").write_text(f"DPPCTL_WEBHOOK_SECRETS={SECRET}\nDPPCTL_PORT=0\nDPPCTL_DELIVERIES_A_MINUTE=0\n")
    (config / "state").mkdir()
    settings = load_settings(config, {})
    Store(settings.database_url).close()
    with (config / "log").open("w") as log:
        running = Receiver(config, settings, log, application)
        try:
            yield f"{running.address}/webhooks/github"
        finally:
            running.stop()


@contextmanager
def _other(bench: Bench, waits: bool) -> Iterator[str | None]:
    if not shutil.which("webhook"):
        yield None
        return
    signature = {"type": "payload-hmac-sha256", "secret": SECRET}
    rule = {"match": {**signature, "parameter": {"source": "header", "name": "X-Hub-Signature-256"}}}
    hooks = bench.new_folder() / "hooks.json"
    hook = {"id": "github", "execute-command": "/bin/true", "include-command-output-in-response": waits}
    hooks.write_text(json.dumps([{**hook, "trigger-rule": rule}]))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = ["webhook", "-hooks", str(hooks), "-ip", "127.0.0.1", "-port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(port)
        yield f"http://127.0.0.1:{port}/hooks/github"
    finally:
        process.terminate()
        process.wait()


def _wait_for(port: int) -> None:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise RuntimeError("webhook does not start")
