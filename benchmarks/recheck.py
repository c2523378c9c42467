"""A re-check of 1,000 apps, each in a repository of its own, on one host: how long, how many calls, how much memory."""

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from benchmarks.bench import Bench
from benchmarks.measured import peak_memory
from benchmarks.report import ROOT, Result, Row, spread, table
from bot.git.command import Git
from bot.git.gitpython import Process
from bot.loop import Loop
from bot.model.registration import read_registration
from bot.settings import load_settings
from bot.store.store import Store
from tests.support.forge import git

CLOCK_SECONDS, START_SECONDS, MEGABYTES = 60.0, 10.0, 200.0
PUSH_PROCESSES = 10  # of git, from a delivery to the ops commit
PAIRS = 3
SPEC = "one: {pipeline: [{run: load_resource}]}\n"
CONFIG = """\
continuousDeployment:
- appRepoPath: {app}
  opsRepoPath: ann/ops
  actions: [{{branch: master, environment: {environment}}}]
"""


def recheck(bench: Bench) -> Result:
    """Measure in a process of its own: all is deployed, then a re-check by the clock, one at a start, and a push."""
    apps = 30 if bench.quick else 1000
    found, others = [], []
    for pair in range(PAIRS if bench.against else 1):
        turns = [(found, ROOT), *([(others, bench.against)] if bench.against else [])]
        for results, checkout in turns if pair % 2 else reversed(turns):
            results.append(_run(bench, checkout.resolve(), apps))
    rows = []
    for name, what, bar in (("clock", "by the clock", CLOCK_SECONDS), ("start", "at a start", START_SECONDS)):
        seconds = statistics.median(one[name]["seconds"] for one in found)
        calls = found[-1][name]["calls"]
        rows += [
            Row(f"re-check of {apps} unchanged apps {what}", f"under {bar:.0f} s", f"{seconds:.1f} s", seconds < bar),
            Row(f"… gits that it starts, {what}", "", str(sum(calls.values())), None),
            Row(
                f"… its `ls-remote` calls, {what}",
                "one for each repository",
                str(calls.get("ls-remote", 0)),
                calls.get("ls-remote", 0) <= apps + 1,
            ),
            Row(f"… its `fetch` calls, {what}", "0", str(calls.get("fetch", 0)), not calls.get("fetch")),
        ]
    peak, pushed = max(one["memory"] for one in found), sum(found[-1]["push"]["calls"].values())
    rows.append(Row("… memory of the process, peak", f"under {MEGABYTES:.0f} MB", f"{peak:.0f} MB", peak < MEGABYTES))
    what = "gits from a delivery to the ops commit, of an app that runs"
    rows.append(Row(what, f"at most {PUSH_PROCESSES}", str(pushed), pushed <= PUSH_PROCESSES))
    details = (
        f"{apps} bare repositories and one ops repo, file://, SQLite. The first look, which deploys them all in one "
        f"push, took {found[-1]['first']['seconds']:.1f} s and is in the memory's peak.\n\n"
        f"gits by the clock: `{found[-1]['clock']['calls']}`, at a start: `{found[-1]['start']['calls']}`, "
        f"for a push: `{found[-1]['push']['calls']}`."
    )
    if others:
        lines = [
            (what, *(spread([one[name]["seconds"] for one in side]) for side in (found, others)))
            for name, what in (("clock", "by the clock"), ("start", "at a start"))
        ]
        details += "\n\n" + table(("re-check", "this checkout", "the other one"), lines)
    return Result(f"A re-check of {apps} apps", rows, details)


def _run(bench: Bench, checkout: Path, apps: int) -> dict[str, Any]:
    """Return what a checkout's own measure finds, with repositories that are made for it."""
    folder = bench.new_folder()
    _make(folder, apps)
    python = sys.executable if checkout == ROOT.resolve() else checkout / ".venv" / "bin" / "python"
    environment = {"PATH": os.environ.get("PATH", os.defpath), "PYTHONPATH": str(checkout)}
    command = [python, "-P", "-m", "benchmarks.recheck", str(folder)]
    out = subprocess.run(command, cwd=checkout, env=environment, stdout=subprocess.PIPE, check=True)
    found: dict[str, Any] = json.loads(out.stdout)
    return found


class CountingGit(Git):
    """Counts the gits that are started, by command."""

    counted: ClassVar[Counter[str]] = Counter()

    def _start(
        self, folder: Path, environment: Mapping[str, str], command: Sequence[str], *, is_bound: bool = False
    ) -> Process:
        self.counted[next(part for part in command[1:] if part != "-c" and "=" not in part)] += 1
        return super()._start(folder, environment, command, is_bound=is_bound)


def _make(folder: Path, apps: int) -> None:
    names = [f"ann/app{number}" for number in range(apps)]
    template = folder / "template"
    template.mkdir()
    git(template, "init", "--quiet", "--bare", "--initial-branch=master", "--template=")
    entries = []
    for number, name in enumerate(["ann/ops", *names]):
        bare = folder / "forge" / f"{name}.git"
        shutil.copytree(template, bare)
        environment = f"e{number}"
        files = {"pipeline-spec.yaml": SPEC, ".dppctl.yaml": CONFIG.format(app=name, environment=environment)}
        stream = "commit refs/heads/master\ncommitter ann <a@example.org> 1800000000 +0000\ndata 5\nstart\n"
        for path, content in files.items():
            stream += f"M 100644 inline {path}\ndata {len(content)}\n{content}\n"
        subprocess.run(["git", "fast-import", "--quiet"], cwd=bare, input=stream.encode(), check=True)
        if number:
            entries.append(f"- {{appRepoPath: {name}, opsRepoPath: ann/ops, environments: [{environment}]}}\n")
    (folder / "apps.yaml").write_text("apps:\n" + "".join(entries))
    (folder / ".env").write_text(f"DPPCTL_GITHUB_URL={(folder / 'forge').as_uri()}\nDPPCTL_WEBHOOK_SECRETS=x\n")


def _push(bare: Path) -> None:
    stream = "commit refs/heads/master\ncommitter ann <a@example.org> 1900000000 +0000\ndata 4\nnext\n"
    stream += "from refs/heads/master^0\nM 100644 inline note\ndata 1\n1\n"
    subprocess.run(["git", "fast-import", "--quiet"], cwd=bare, input=stream.encode(), check=True)


def _main(folder: Path) -> None:
    settings = load_settings(folder)
    targets = read_registration(folder / "apps.yaml")
    settings.state_dir.mkdir()
    store, runner = Store(settings.database_url), CountingGit(settings)
    names = {target.app.repository for target in targets}
    found: dict[str, Any] = {}
    loop = Loop(settings, targets, runner, store, lambda: None)
    for what in ("first", "second", "clock", "start"):
        if what == "start":
            loop = Loop(settings, targets, runner, store, lambda: None)
        CountingGit.counted.clear()
        started = time.perf_counter()
        loop.reconcile(names, is_asked=what in ("first", "second"))
        found[what] = {"seconds": time.perf_counter() - started, "calls": dict(CountingGit.counted)}
    _push(folder / "forge" / "ann" / "app0.git")
    CountingGit.counted.clear()
    loop.reconcile({"ann/app0"})
    found["push"] = {"calls": dict(CountingGit.counted)}
    if len(store.deployments.newest(limit=len(names) + 2)) != len(names) + 1:
        raise RuntimeError("not every app was deployed once, and one of them again")
    found["memory"] = peak_memory(os.getpid())
    print(json.dumps(found))


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
