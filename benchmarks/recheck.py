"""A re-check of 1,000 apps, each in a repository of its own, on one host: how long, how many calls, how much memory."""

import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, ClassVar

from benchmarks.bench import Bench
from benchmarks.report import ROOT, Result, Row
from bot.git.command import Git
from bot.loop import Loop
from bot.model.registration import read_registration
from bot.settings import load_settings
from bot.store.store import Store
from tests.support.forge import git

SECONDS, MEGABYTES = 60.0, 200.0
SPEC = "one: {pipeline: [{run: load_resource}]}\n"
CONFIG = """\
continuousDeployment:
- appRepoPath: {app}
  opsRepoPath: ann/ops
  actions: [{{branch: master, environment: {environment}}}]
"""


def recheck(bench: Bench) -> Result:
    """Measure in a process of its own a re-check by the clock and a re-check at a start, with all deployed."""
    apps = 30 if bench.quick else 1000
    folder = bench.new_folder()
    _make(folder, apps)
    environment = {"PATH": os.environ.get("PATH", os.defpath), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-P", "-m", "benchmarks.recheck", str(folder)]
    out = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True)
    found = json.loads(out.stdout)
    rows = []
    for name, what in (("clock", "by the clock"), ("start", "at a start")):
        seconds, calls = found[name]["seconds"], found[name]["calls"]
        rows.append(
            Row(
                f"re-check of {apps} unchanged apps {what}",
                f"under {SECONDS:.0f} s",
                f"{seconds:.1f} s",
                seconds < SECONDS,
            )
        )
        remotes = calls.get("ls-remote", 0)
        rows.append(
            Row(f"… its `ls-remote` calls, {what}", "one for each repository", str(remotes), remotes == apps + 1)
        )
        rows.append(Row(f"… its `fetch` calls, {what}", "0", str(calls.get("fetch", 0)), not calls.get("fetch")))
    rows.append(
        Row(
            "… memory of the process, peak",
            f"under {MEGABYTES:.0f} MB",
            f"{found['memory']:.0f} MB",
            found["memory"] < MEGABYTES,
        )
    )
    details = (
        f"{apps} bare repositories and one ops repo, file://, SQLite. The first look, which deploys them all in one "
        f"push, took {found['first']['seconds']:.1f} s and is in the memory's peak.\n\n"
        f"git calls by the clock: `{found['clock']['calls']}`, at a start: `{found['start']['calls']}`."
    )
    return Result(f"A re-check of {apps} apps", rows, details)


class CountingGit(Git):
    """Counts by command."""

    def run(self, folder: Path, *arguments: str, **options: Any) -> bytes:
        self.counted[arguments[0]] += 1
        return super().run(folder, *arguments, **options)

    counted: ClassVar[Counter[str]] = Counter()


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
        loop.reconcile(names)
        found[what] = {"seconds": time.perf_counter() - started, "calls": dict(CountingGit.counted)}
    if len(store.deployments.newest(limit=len(names) + 1)) != len(names):
        raise RuntimeError("not every app was deployed once")
    found["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(found))


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
