"""From `git push` to the receipt: the demo's app (two small pipelines, no image) under `dppctl up`, part by part."""

import re
import shutil
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.bench import Bench, numbered
from benchmarks.push import install_hook
from benchmarks.report import ROOT, Result, Row, spread, table
from bot.store.store import Store
from bot.store.tables import Deployment
from tests.support.forge import Forge, Repository
from tests.support.up import Up
from tests.support.workloads import write_files

SECONDS, SECONDS_BESIDE = 2.5, 1.0
LONGEST = 60.0
PAUSE = 3.0  # between two pushes; nobody pushes faster
APPS = "apps:\n- {appRepoPath: ann/app, opsRepoPath: ann/ops, environments: [staging]}\n"
CONFIG = """\
clusterProvider: local
continuousDeployment:
- appRepoPath: ann/app
  opsRepoPath: ann/ops
  actions:
  - {branch: master, environment: staging, pipeline: all}
"""
PARTS = ("git push and its hook", "bot: to the ops commit", "sync: to the start", "around the pipelines", "pipelines")


@dataclass(frozen=True)
class Push:
    """Seconds of one push, in total and by part, in the order of PARTS."""

    total: float
    parts: tuple[float, ...]

    @property
    def beside(self) -> float:
        """Return what is not pipelines."""
        return self.total - self.parts[-1]


def push_to_receipt(bench: Bench) -> Result:
    """Measure pushes, each some seconds after the deployment before."""
    with app_beside_up(bench) as (app, config):
        push(app, config, 0)  # the first finds nothing, neither copies nor environments
        pushes = [push(app, config, number) for number in numbered(2 if bench.quick else 10, "push")]
    total = statistics.median(found.total for found in pushes)
    beside = statistics.median(found.beside for found in pushes)
    rows = [
        Row("from `git push` to the receipt, no image", f"at most {SECONDS} s", f"{total:.2f} s", total <= SECONDS),
        Row("… of it not pipelines", f"at most {SECONDS_BESIDE} s", f"{beside:.2f} s", beside <= SECONDS_BESIDE),
    ]
    parts = [[name, spread([found.parts[number] for found in pushes])] for number, name in enumerate(PARTS)]
    details = (
        f"Medians of {len(pushes)} pushes, each {PAUSE:g} s after the receipt of the one before; "
        f"all: {spread([found.total for found in pushes])}.\n\n{table(['part', 'seconds'], parts)}"
    )
    return Result("From a push to the receipt", rows, details)


@contextmanager
def app_beside_up(bench: Bench) -> Iterator[tuple[Repository, Path]]:
    """Give an app with a hook, and the folder of the settings of a `dppctl up` that serves it."""
    folder = bench.new_folder()
    forge = Forge(folder)
    forge.repository("ann/ops").push({"README.md": ""})
    app = forge.repository("ann/app")
    shutil.copytree(ROOT / "examples" / "tz-data", app.work, dirs_exist_ok=True)
    env = f"DPPCTL_GITHUB_URL={forge.url}\nDPPCTL_WEBHOOK_SECRETS=hush\nDPPCTL_PORT=0\n"
    config = write_files(folder / "config", {"apps.yaml": APPS, ".env": env})
    up = Up(config)
    try:
        install_hook(app, up.address(LONGEST), folder)
        yield app, config
    finally:
        up.kill()


def push(app: Repository, config: Path, number: int) -> Push:
    """Push a commit, and wait for the end of its deployment."""
    time.sleep(PAUSE)
    write_files(app.work, {".dppctl.yaml": CONFIG, "note.txt": str(number)})
    app.git("add", "--all")
    app.git("commit", "--quiet", "--message", f"push {number}")
    commit = app.git("rev-parse", "HEAD").strip()
    started = time.time()
    app.git("push", "--quiet", "origin", "master")
    deployment = _ended(config, commit, started + LONGEST)
    total = time.time() - started
    pipelines = sum(result["seconds"] for result in (deployment.receipt or {"pipelines": []})["pipelines"])
    times = _times((config / "log").read_text(), commit)
    received, committed, begun = (times.get(event, started) for event in ("received", "deploying", "started"))
    parts = (
        received - started,
        committed - received,
        begun - committed,
        total + started - begun - pipelines,
        pipelines,
    )
    return Push(total, parts)


def _ended(config: Path, commit: str, until: float) -> Deployment:
    store = Store(f"sqlite:///{config / 'state' / 'dppctl.sqlite'}")
    try:
        while time.time() < until:
            newest = store.deployments.newest(limit=1)
            if newest and newest[0].commit == commit and newest[0].ended:
                if newest[0].state != "succeeded":
                    raise RuntimeError(f"the deployment {newest[0].state}: {newest[0].error}")
                whole = store.deployments.get(newest[0].id)  # with the receipt, which a list leaves out
                assert whole
                return whole
            time.sleep(0.005)
    finally:
        store.close()
    raise RuntimeError(f"no end of the deployment:\n{(config / 'log').read_text()[-2000:]}")


def _times(log: str, commit: str) -> dict[str, float]:
    """Return when each event of this push was logged, in seconds of the epoch."""
    lines = [dict(re.findall(r'(\w+)=("[^"]*"|\S+)', line)) for line in log.splitlines()]
    delivery = next((line["delivery"] for line in lines if line.get("commit") == commit and "delivery" in line), None)
    return {
        line["event"]: datetime.fromisoformat(line["timestamp"]).astimezone(UTC).timestamp()
        for line in lines
        if "timestamp" in line and (line.get("commit") == commit or (delivery and line.get("delivery") == delivery))
    }
