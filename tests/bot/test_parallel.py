"""Whatever is slow holds up what needs it, and nothing else: looks go on side by side, for one ops repo in turn."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from structlog.typing import EventDict

from bot.loop import Loop
from bot.model.names import RepoPath
from bot.model.registration import Target
from bot.model.webhook_events import Push
from tests.support.forge import APP, Forge, Repository
from tests.support.git_server import serve
from tests.support.stories.bot import running
from tests.support.waiting import BUSY, eventually
from tests.support.world import World

pytestmark = pytest.mark.slow

SOON = 10.0 * BUSY


class SlowWorld:
    """A bot before a git server that answers nothing about some repositories, until `end`."""

    def __init__(self, folder: Path, opened: ExitStack) -> None:
        self.forge, self.silent, self._end = Forge(folder), set[str](), threading.Event()
        self.asked = set[str]()  # of the silent ones
        (folder / "forge").mkdir()
        url = opened.enter_context(serve(folder / "forge", before=self._answer))
        self.world = opened.enter_context(World(folder, self.forge, GITHUB_URL=url))
        opened.callback(self._end.set)

    def _answer(self, path: str) -> None:
        if found := {name for name in self.silent if path.startswith(f"/{name}.git/")}:
            self.asked |= found
            self._end.wait(300)

    def app(self, name: str, *ops: str) -> Repository:
        """Make an app whose `staging` is an environment, named after it, of each of these ops repos."""
        repository = self.forge.repository(name)
        text = "continuousDeployment:\n"
        for found in ops:
            text += f"- appRepoPath: {name}\n  opsRepoPath: {found}\n  actions:\n"
            text += f"  - {{branch: master, environment: {name.partition('/')[2]}}}\n"
        repository.push({**APP, ".dppctl.yaml": text})
        return repository

    def ops(self, name: str) -> Repository:
        """Make an ops repo."""
        repository = self.forge.repository(name)
        repository.push({"README.md": ""}, message="start")
        return repository

    def silence(self, name: str) -> None:
        self.silent.add(name)

    def end(self) -> None:
        """Let all be answered."""
        self._end.set()

    @contextmanager
    def bot(self, *targets: str) -> Iterator[Loop]:
        """Run a bot for these targets, `APP OPS`."""
        pairs = [(RepoPath(app), RepoPath(ops)) for app, _, ops in (target.partition(" ") for target in targets)]
        registered = frozenset(Target(app, ops, app.repository.partition("/")[2]) for app, ops in pairs)
        loop = Loop(self.world.settings, registered, self.world.git, self.world.store, lambda: None)
        with running(loop):
            yield loop

    def deployed(self) -> list[str]:
        return sorted(found.app for found in self.world.store.deployments.newest() if found.ops_commit)


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[SlowWorld]:
    with ExitStack() as opened:
        yield SlowWorld(tmp_path, opened)


def test_a_silent_repository_delays_neither_other_ops_repos_nor_its_own(slow: SlowWorld) -> None:
    slow.ops("ann/ops")
    slow.ops("bob/ops")
    slow.app("ann/one", "ann/ops")
    slow.app("bob/two", "bob/ops")
    slow.app("bob/large", "bob/ops")
    slow.silence("bob/large")
    with slow.bot("ann/one ann/ops", "bob/two bob/ops", "bob/large bob/ops"):
        eventually(lambda: slow.deployed() == ["ann/one", "bob/two"], "the others are deployed", SOON)
        slow.world.store.deliveries.record("1", Push("push", "bob/large", "refs/heads/master", "0" * 40, "1" * 40))
        slow.world.store.deliveries.record("2", Push("push", "ann/one", "refs/heads/master", "0" * 40, "1" * 40))
        states = slow.world.store.deliveries
        eventually(lambda: {one.id: one.state for one in states.newest()}["2"] == "processed", "it goes on", SOON)
        assert {one.id: one.state for one in states.newest()}["1"] == "received"
        slow.end()
        eventually(lambda: "bob/large" in slow.deployed(), "it is deployed when it is there", SOON)
        eventually(lambda: {one.state for one in states.newest()} == {"processed"}, "its delivery too", SOON)


def test_a_silent_ops_repo_delays_its_own_environments_only(slow: SlowWorld) -> None:
    slow.ops("ann/ops")
    slow.ops("bob/ops")
    slow.app("ann/one", "ann/ops", "bob/ops")
    slow.app("bob/two", "bob/ops")
    slow.silence("bob/ops")
    with slow.bot("ann/one ann/ops", "ann/one bob/ops", "bob/two bob/ops"):
        eventually(lambda: slow.deployed() == ["ann/one"], "that of the other ops repo is deployed", SOON)
        request = slow.world.store.requests.add("ann/one", "one", by="local:ann")
        slow.end()
        eventually(lambda: slow.deployed() == ["ann/one", "ann/one", "bob/two"], "all is deployed", SOON)
        eventually(lambda: slow.world.store.requests.get(request).state == "refused", "two ops repos fit", SOON)
    assert len(slow.world.store.deployments.newest()) == 3


def test_a_repository_that_is_woken_while_it_is_looked_at_is_looked_at_again(slow: SlowWorld) -> None:
    slow.ops("ann/ops")
    slow.ops("bob/ops")
    app = slow.app("ann/one", "ann/ops")
    slow.app("bob/two", "bob/ops")
    slow.silence("ann/ops")
    with slow.bot("ann/one ann/ops", "bob/two bob/ops") as loop:
        eventually(lambda: slow.asked, "the app was read, and its ops repo is asked", SOON)
        commit = app.push({"more": "1"})
        loop.wake("ann/one")
        slow.world.store.deliveries.record("1", Push("push", "bob/two", "refs/heads/master", "0" * 40, "1" * 40))
        states = slow.world.store.deliveries
        eventually(lambda: states.newest()[0].state == "processed", "the loop has taken what there was", SOON)
        slow.end()
        newest = slow.world.store.deployments.newest
        eventually(lambda: commit in {found.commit for found in newest()}, "the push is seen", SOON)


def test_the_bot_says_at_its_start_that_github_takes_too_few_calls(slow: SlowWorld, warned: list[EventDict]) -> None:
    slow.ops("ann/ops")
    slow.app("ann/one", "ann/ops")
    slow.world.restart(GITHUB_CALLS_AN_HOUR="10")
    with slow.bot("ann/one ann/ops"):
        eventually(lambda: slow.deployed() == ["ann/one"], "it deploys", SOON)
    (said,) = [event for event in warned if "less often" in event["event"]]
    assert (said["repositories"], said["wanted_seconds"], said["seconds"]) == (2, 180.0, 1440)
