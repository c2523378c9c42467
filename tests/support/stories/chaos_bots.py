"""Pushes during which bots that share ops repos by a PostgreSQL are killed again and again, and webhooks go astray.

Their gits are killed too, and their copies of repositories harmed. What must be true at the end is the same as if
nothing of that had happened: each ops repo is what git says, each of its commits is one deployment, nothing was
committed twice, no two bots wrote an ops repo, and what a killed bot had was taken over within ten seconds.
"""

import contextlib
import itertools
import os
import random
import re
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.model.webhook_events import Push
from bot.parent_death import bound_to_parent
from bot.store.store import Store
from tests.support.environment import REPOSITORY, processes_with
from tests.support.forge import Forge, Repository, git
from tests.support.stories.chaos_harms import harm_a_copy, kill_a_git
from tests.support.stories.lease_history import (
    check_writers,
    note_leases,
    note_pushes,
    read_leases,
    read_pushes,
    takeovers,
)
from tests.support.waiting import BUSY, eventually
from tests.support.workloads import write_files

SPEC = "one: {pipeline: [{run: load_resource}]}\n"
CONFIG = """\
continuousDeployment:
- appRepoPath: {app}
  opsRepoPath: {ops}
  actions: [{{branch: master, environment: {environment}}}]
"""
TAKEOVER_SECONDS = 10.0
HARMS_BETWEEN_RESTS = 40  # after so many all copies are used, and must have been healed
_FORM = (
    "--format=%H %(trailers:key=Dppctl-Environment,valueonly,separator=) %(trailers:key=Dppctl-Source-Commit,valueonly)"
)


@dataclass
class _Bot:
    """A bot of the story, and its process; `waited`: how often the log said that it has its part, before that."""

    config: Path
    process: subprocess.Popen[bytes]
    waited: int

    @property
    def works(self) -> bool:
        return _parts(self.config) > self.waited


class BotsStory:
    """Has two steps: `play` it, then `check` it."""

    def __init__(
        self, folder: Path, database_url: str, seed: int, *, bots: int = 3, ops: int = 3, apps: int = 2
    ) -> None:
        """Make the repositories: so many apps for each ops repo; and the configuration of each bot."""
        self.random, self.counts = random.Random(seed), Counter[str]()
        self.takeovers: list[float] = []  # seconds, from a kill until another bot had an ops repo; `check` finds them
        self._folder = folder
        self.store = Store(database_url)
        note_leases(self.store.database)
        self._kills: list[tuple[str, float]] = []  # of bots: which, when
        forge = Forge(folder)
        self.ops = {f"ann/ops{number}": forge.repository(f"ann/ops{number}") for number in range(ops)}
        self.apps: dict[str, Repository] = {}
        self._heads: dict[str, str] = {}  # by app, the commit that is to run
        self.places: dict[str, tuple[str, str]] = {}  # by app, its ops repo and environment
        entries = "apps:\n"
        for name, repository in self.ops.items():
            repository.push({"README.md": ""}, message="start")
            note_pushes(repository.bare)
            for number in range(apps):
                app, environment = f"{name}-app{number}", f"e{number}"
                self.places[app] = name, environment
                self.apps[app] = forge.repository(app)
                config = CONFIG.format(app=app, ops=name, environment=environment)
                self._heads[app] = self.apps[app].push({"pipeline-spec.yaml": SPEC, ".dppctl.yaml": config})
                entries += f"- {{appRepoPath: {app}, opsRepoPath: {name}, environments: [{environment}]}}\n"
        self.configs = [folder / f"bot{number}" for number in range(bots)]
        for config_folder in self.configs:
            name = config_folder.name
            env = (
                f"DPPCTL_GITHUB_URL={forge.url}\nDPPCTL_PORT=0\nDPPCTL_WEBHOOK_SECRETS=hush\nDPPCTL_RESYNC_SECONDS=10\n"
                f"DPPCTL_GITHUB_CALLS_AN_HOUR=0\nDPPCTL_GITHUB_USER={name}\n"
                f"DPPCTL_DATABASE_URL={database_url}?application_name={name}\n"
            )
            write_files(config_folder, {"apps.yaml": entries, ".env": env})

    def play(self, *, kills: int, gits: int = 0, harms: int = 0, longest: float) -> None:
        """Kill bots, kill gits and harm copies, so many times each, with pushes between; then let it come to rest.

        longest: seconds between two of these.
        """
        events = ["bot"] * kills + ["git"] * gits + ["copy"] * harms
        self.random.shuffle(events)
        victims = itertools.cycle(range(len(self.configs)))
        with contextlib.ExitStack() as running:
            bots = [running.enter_context(self._bot(config)) for config in self.configs]
            for number, event in enumerate(events, 1):
                for _ in range(self.random.choice((0, 1, 1, 2, 3))):
                    self._push(self.random.choice(sorted(self.apps)))
                if event == "bot":
                    victim = next(victims)
                    # Mostly another bot lives on; at times they are killed one right after the other.
                    others = bots if self.random.random() < 0.8 else [bots[victim]]
                    eventually(lambda bots=others: all(bot.works for bot in bots), "they have their parts")
                    self._wait(longest)
                    self._kill(bots[victim])
                    bots[victim] = running.enter_context(self._bot(self.configs[victim]))
                elif event == "git":
                    self._kill_git([bot.process.pid for bot in bots])
                else:
                    self._harm(self.random.choice(self.configs) / "state")
                if event != "bot":
                    self._wait(longest)
                if number % HARMS_BETWEEN_RESTS == 0 or number == len(events):
                    self._rest()

    def check(self) -> None:
        """Compare git, the store, and what the database saw of the leases. Raises AssertionError."""
        eventually(lambda: not processes_with(str(self._folder / "bot")), "nothing of the bots is left", 10.0 * BUSY)
        deployments = self.store.deployments.newest(limit=100_000)
        recorded = Counter(found.ops_commit for found in deployments if found.ops_commit)
        assert set(recorded.values()) <= {1}, "no deployment is there twice"
        leases, written = read_leases(self.store.database), set[str]()
        for name, ops in self.ops.items():
            commits = self._written(name)
            written |= {ops_commit for ops_commit, _, _ in commits}
            for environment in {environment for _, environment, _ in commits}:
                sources = [source for _, found, source in commits if found == environment]
                again = [source for source, before in zip(sources[1:], sources, strict=False) if source == before]
                assert not again, f"{environment} of {name}: committed twice in a row: {again}"
            pushes = read_pushes(ops.bare)
            check_writers(pushes, [lease for lease in leases if lease.name == name])
            assert pushes[-1].new == git(ops.bare, "rev-parse", "master"), f"{name} was moved by nobody known"
            self.counts["pushes of the bots"] += len(pushes)
        differ = set(recorded) ^ written
        assert not differ, f"only one of the store and the ops repos knows {differ}"
        self.counts["ops commits"] = len(written)
        self.takeovers = takeovers(leases, self._kills, TAKEOVER_SECONDS * BUSY)

    def close(self) -> None:
        """Close the store."""
        self.store.close()

    def _wait(self, longest: float) -> None:
        time.sleep(self.random.uniform(0, longest))

    def _push(self, name: str, fates: Sequence[str] = ("sent", "sent", "sent", "dropped", "doubled")) -> None:
        self.counts["pushes"] += 1
        commit = self._heads[name] = self.apps[name].push({"pushes.txt": str(self.counts["pushes"])})
        fate = self.random.choice(fates)
        self.counts[f"webhooks {fate}"] += 1
        for _ in range({"dropped": 0, "doubled": 2}.get(fate, 1)):
            self.store.deliveries.record(str(uuid.uuid4()), Push("push", name, "refs/heads/master", "0" * 40, commit))

    def _kill(self, bot: _Bot) -> None:
        bot.process.kill()
        self._kills.append((bot.config.name, time.time()))
        bot.process.wait()
        self.counts["bots killed"] += 1

    def _kill_git(self, bots: Sequence[int]) -> None:
        self._push(self.random.choice(sorted(self.apps)), ("sent",))
        command = kill_a_git(bots, self.random)
        self.counts[f"gits killed: {command}" if command else "gits that were not killed, as there was none"] += 1
        self.counts["gits killed"] += command is not None

    def _harm(self, state: Path) -> None:
        self.counts["copies harmed"] += harm_a_copy(state, self.random) is not None

    def _rest(self) -> None:
        """Push to every app, so that every copy is used, and wait until all is written, recorded and told."""
        for name in self.apps:
            self._push(name, ("sent",))
        eventually(self._is_at_rest, "the ops repos are what git says")
        self.counts["rests, with every copy healed"] += 1

    def _is_at_rest(self) -> bool:
        """Tell whether all is written and recorded: a bot records what it has pushed a moment later."""
        if any(self._runs(*self.places[name]) != commit for name, commit in self._heads.items()):
            return False
        states = {delivery.state for delivery in self.store.deliveries.newest(limit=100_000)}
        recorded = {found.ops_commit for found in self.store.deployments.newest(limit=100_000)}
        is_recorded = all(ops_commit in recorded for name in self.ops for ops_commit, _, _ in self._written(name))
        return is_recorded and states <= {"processed"}

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
    def _bot(self, config: Path) -> Iterator[_Bot]:
        clean: Mapping[str, str] = {name: value for name, value in os.environ.items() if not name.startswith("DPPCTL_")}
        waited = _parts(config)
        with (config / "log").open("a") as log:
            process = subprocess.Popen(
                bound_to_parent([sys.executable, "-m", "cli.main", "bot", "--config", str(config)], signal.SIGKILL),
                cwd=config,
                env={**clean, "PYTHONPATH": str(REPOSITORY)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        try:
            yield _Bot(config, process, waited)
        finally:
            process.kill()
            process.wait()


def _parts(config: Path) -> int:
    """Return how often a bot's log says that it has ops repos."""
    log = config / "log"
    return len(re.findall(r"are shared\b.* number=[1-9]", log.read_text())) if log.exists() else 0
