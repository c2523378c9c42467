"""Going back to a kept release under `dppctl up`: from the request to the switch, the bot idle."""

import os
import statistics
import time
from contextlib import closing
from pathlib import Path

from benchmarks.bench import Bench, numbered
from benchmarks.push_to_receipt import LONGEST, PAUSE, app_beside_up, push
from benchmarks.report import Result, Row, spread
from bot.store.store import Store

SECONDS = 1.0


def rollback(bench: Bench) -> Result:
    """Measure going from one of two deployments to the other, some seconds apart."""
    with app_beside_up(bench) as (app, config):
        for number in range(2):
            push(app, config, number)
        with closing(Store(f"sqlite:///{config / 'state' / 'dppctl.sqlite'}")) as store:
            seconds = []
            for number in numbered(2 if bench.quick else 10, "rollback"):
                time.sleep(PAUSE)
                seconds.append(_go_back(store, config, 1 if number % 2 else 2))
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
