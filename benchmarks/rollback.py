"""Going back to a kept release under `dppctl up`: from the request to the switch, the bot idle."""

import os
import shutil
import statistics
import time
from pathlib import Path

from benchmarks.bench import Bench, numbered
from benchmarks.push import install_hook
from benchmarks.push_to_receipt import APPS, LONGEST, PAUSE, push
from benchmarks.report import ROOT, Result, Row, spread
from bot.store.store import Store
from tests.support.forge import Forge
from tests.support.up import Up
from tests.support.workloads import write_files

SECONDS = 1.0


def rollback(bench: Bench) -> Result:
    """Measure going from one of two deployments to the other, some seconds apart."""
    folder = bench.new_folder()
    forge = Forge(folder)
    forge.repository("ann/ops").push({"README.md": ""})
    app = forge.repository("ann/app")
    shutil.copytree(ROOT / "examples" / "tz-data", app.work, dirs_exist_ok=True)
    env = f"DPPCTL_GITHUB_URL={forge.url}\nDPPCTL_WEBHOOK_SECRETS=hush\nDPPCTL_PORT=0\n"
    config = write_files(folder / "config", {"apps.yaml": APPS, ".env": env})
    up = Up(config)
    store = None
    try:
        install_hook(app, up.address(LONGEST), folder)
        for number in range(2):
            push(app, config, number)
        store = Store(f"sqlite:///{config / 'state' / 'dppctl.sqlite'}")
        seconds = []
        for number in numbered(2 if bench.quick else 10, "rollback"):
            time.sleep(PAUSE)
            seconds.append(_go_back(store, config, 1 if number % 2 else 2))
    finally:
        if store:
            store.close()
        up.kill()
    median = statistics.median(seconds)
    row = Row("from the request to the switch, no push", f"under {SECONDS} s", f"{median:.2f} s", median < SECONDS)
    details = (
        f"Median of {len(seconds)} rollbacks, the bot idle; all: {spread(seconds)}. The ops repository is on this disk."
    )
    return Result("Going back to a kept release", [row], details)


def _go_back(store: Store, config: Path, deployment: int) -> float:
    """Ask for a rollback, and return the seconds until the environment's link is another one."""
    (link,) = config.glob("state/environments/*/staging/current")
    before, started = os.readlink(link), time.monotonic()
    number = store.requests.add("ann/app", "staging", "rollback", by="local:bench", to_deployment=deployment)
    while os.readlink(link) == before:
        if time.monotonic() > started + LONGEST:
            raise RuntimeError(f"no switch: {store.requests.get(number)}")
        time.sleep(0.002)
    return time.monotonic() - started
