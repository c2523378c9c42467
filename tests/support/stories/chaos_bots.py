"""Pushes during which bots that share ops repos by a PostgreSQL are killed again and again, and webhooks go astray.

What must be true at the end is the same as if nothing of that had happened: each ops repo is what git says, each of its
commits is one deployment, and nothing was committed twice.
"""

import contextlib
import os
import random
import re
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from bot.model.webhook_events import Push
from bot.store.store import Store
from tests.support.environment import REPOSITORY
from tests.support.forge import Forge, Repository, git
from tests.support.waiting import eventually
from tests.support.workloads import write_files

SPEC = "one: {pipeline: [{run: load_resource}]}\n"
CONFIG = """\
continuousDeployment:
- appRepoPath: {app}
  opsRepoPath: {ops}
  actions: [{{branch: master, environment: {environment}}}]
"""
_FORM = (
    "--format=%H %(trailers:key=Dppctl-Environment,valueonly,separator=) %(trailers:key=Dppctl-Source-Commit,valueonly)"
)


class BotsStory:
    """Has two steps: `play` it, then `check` it."""

    def __init__(
        self, folder: Path, database_url: str, seed: int, *, bots: int = 3, ops: int = 3, apps: int = 2
    ) -> None:
        """Make the repositories: so many apps for each ops repo; and the configuration of each bot."""
        self.random, self.counts = random.Random(seed), Counter[str]()
        self.store = Store(database_url)
        self._starts: dict[Path, int] = {}  # by log, how often a bot had its part before it was started last
        forge = Forge(folder)
        self.ops = {f"ann/ops{number}": forge.repository(f"ann/ops{number}") for number in range(ops)}
        self.apps: dict[str, Repository] = {}
        self.places: dict[str, tuple[str, str]] = {}  # by app, its ops repo and environment
        entries = "apps:\n"
        for name, repository in self.ops.items():
            repository.push({"README.md": ""}, message="start")
            for number in range(apps):
                app, environment = f"{name}-app{number}", f"e{number}"
                self.places[app] = name, environment
                self.apps[app] = forge.repository(app)
                config = CONFIG.format(app=app, ops=name, environment=environment)
                self.apps[app].push({"pipeline-spec.yaml": SPEC, ".dppctl.yaml": config})
                entries += f"- {{appRepoPath: {app}, opsRepoPath: {name}, environments: [{environment}]}}\n"
        self.configs = [folder / f"bot{number}" for number in range(bots)]
        for config_folder in self.configs:
            env = (
                f"DPPCTL_GITHUB_URL={forge.url}\nDPPCTL_PORT=0\nDPPCTL_WEBHOOK_SECRETS=hush\nDPPCTL_RESYNC_SECONDS=10\n"
            )
            write_files(config_folder, {"apps.yaml": entries, ".env": f"{env}DPPCTL_DATABASE_URL={database_url}\n"})

    def play(self, kills: int, longest: float) -> None:
        """Push and kill, so many times; longest: seconds between two kills. Then let it come to rest."""
        with contextlib.ExitStack() as running:
            bots = [running.enter_context(self._bot(config)) for config in self.configs]
            for number in range(kills):
                for _ in range(self.random.choice((0, 1, 1, 2, 3))):
                    self._push()
                victim = number % len(bots)
                log = self.configs[victim] / "log"
                eventually(lambda log=log: log.read_text().count("are shared") > self._starts[log], "it works")
                time.sleep(self.random.uniform(0, longest))
                bots[victim].kill()
                bots[victim].wait()
                self.counts["kills"] += 1
                bots[victim] = running.enter_context(self._bot(self.configs[victim]))
            eventually(self._is_at_rest, "the ops repos are what git says")

    def check(self) -> None:
        """Compare git and the store. Raises AssertionError."""
        deployments = self.store.deployments.newest(limit=100_000)
        recorded = Counter(found.ops_commit for found in deployments if found.ops_commit)
        assert set(recorded.values()) <= {1}, "no deployment is there twice"
        written: set[str] = set()
        for name in self.ops:
            commits = self._written(name)
            written |= {ops_commit for ops_commit, _, _ in commits}
            for environment in {environment for _, environment, _ in commits}:
                sources = [source for _, found, source in commits if found == environment]
                again = [source for source, before in zip(sources[1:], sources, strict=False) if source == before]
                assert not again, f"{environment} of {name}: committed twice in a row: {again}"
        differ = set(recorded) ^ written
        assert not differ, f"only one of the store and the ops repos knows {differ}"
        self.counts["ops commits"] = len(written)

    def close(self) -> None:
        """Close the store."""
        self.store.close()

    def _push(self) -> None:
        name = self.random.choice(sorted(self.apps))
        self.counts["pushes"] += 1
        commit = self.apps[name].push({"pushes.txt": str(self.counts["pushes"])})
        fate = self.random.choice(("sent", "sent", "sent", "dropped", "doubled"))
        self.counts[f"webhooks {fate}"] += 1
        for _ in range({"dropped": 0, "doubled": 2}.get(fate, 1)):
            self.store.deliveries.record(str(uuid.uuid4()), Push("push", name, "refs/heads/master", "0" * 40, commit))

    def _is_at_rest(self) -> bool:
        """Tell whether all is written and recorded: a bot records what it has pushed a moment later."""
        if any(self._runs(*self.places[name]) != app.git("rev-parse", "HEAD") for name, app in self.apps.items()):
            return False
        recorded = {found.ops_commit for found in self.store.deployments.newest(limit=100_000)}
        return all(ops_commit in recorded for name in self.ops for ops_commit, _, _ in self._written(name))

    def _written(self, ops: str) -> list[list[str]]:
        """Return the bot's commits to an ops repo, the oldest first: id, environment and the app's commit."""
        lines = git(self.ops[ops].bare, "log", "--reverse", _FORM, "--grep=^Dppctl-App", "master").splitlines()
        return [line.split() for line in lines if line]

    def _runs(self, ops: str, environment: str) -> str | None:
        """Return the app's commit that an environment is to run."""
        path = f"environments/{environment}/values.auto-updated.yaml"
        if path not in git(self.ops[ops].bare, "ls-tree", "-r", "--name-only", "master").splitlines():
            return None
        found = re.search(r'commit"?: "?([0-9a-f]{40})', self.ops[ops].file(path))
        return found[1] if found else None

    @contextlib.contextmanager
    def _bot(self, config: Path) -> Iterator[subprocess.Popen[bytes]]:
        log_file = config / "log"
        self._starts[log_file] = log_file.read_text().count("are shared") if log_file.exists() else 0
        clean = {name: value for name, value in os.environ.items() if not name.startswith("DPPCTL_")}
        with log_file.open("a") as log:
            bot = subprocess.Popen(
                [sys.executable, "-m", "cli.main", "bot", "--config", str(config)],
                cwd=config,
                env={**clean, "PYTHONPATH": str(REPOSITORY)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        try:
            yield bot
        finally:
            bot.kill()
            bot.wait()
