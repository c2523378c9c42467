"""Fifty branches that are made, pushed and deleted at random, while the bot and local sync are killed in between.

At the end the environments, their values files and their folders are those of the branches that are left.
"""

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bot.git.mirror import Mirror
from bot.model.previews import preview_of
from tests.support.forge import git
from tests.support.stories.previews import PREVIEW_APP, PreviewStory
from tests.support.stories.stub_machine import STEPS, StubMachine
from tests.support.world import World

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings(
        "ignore::pytest.PytestUnhandledThreadExceptionWarning"
    ),  # of the threads that are killed
]
BRANCHES, ROUNDS = 50, 25


class KilledError(BaseException):
    """What a kill is for the code that is at work: nothing catches it."""


class RandomPreviews:
    """A bot and sync that are killed at random steps, and branches that come and go meanwhile."""

    def __init__(self, world: World, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.random = random.Random(seed)
        self.world = world
        self.kills = self.kills_of_sync = 0
        self.story = PreviewStory(world)
        self.machine = StubMachine(world, self.story.targets, monkeypatch)
        self.story.app.push(PREVIEW_APP)
        self.names = [f"{self.random.choice(['fix', 'Fix', 'ענף'])}/{number}" for number in range(BRANCHES)]
        self.there: set[str] = set()

    def step(self) -> None:
        """Make, push or delete some branches, in one push as a script would."""
        changed = self.random.sample(self.names, self.random.randint(1, 8))
        gone = [name for name in changed if name in self.there and self.random.random() < 0.6]
        pushed = [name for name in changed if name not in gone]
        self.story.app.push({"n": str(self.random.random())}, "scratch")
        refs = [f"HEAD:refs/heads/{name}" for name in pushed] + [f":refs/heads/{name}" for name in gone]
        self.story.app.git("push", "--quiet", "--force", "origin", *refs)
        self.there = (self.there - set(gone)) | set(pushed)

    def look(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Have the bot look, and kill it at a random step or not at all; then another one comes."""
        steps = [
            (self.story.store.previews, "end"),
            (self.story.store.previews, "keep"),
            (self.story.store.deployments, "record"),
            (Mirror, "push"),
            (Mirror, "run"),
        ]
        if self._is_killed(self.random.choice(steps), self.story.reconcile, monkeypatch):
            self.kills += 1
            self.story.loop.close()
            self.world.restart()
            self.story = PreviewStory(self.world)
        if self._is_killed(self.random.choice(STEPS), self.machine.look, monkeypatch):
            self.kills_of_sync += 1
            self.machine.restart()

    def _is_killed(self, at: tuple[Any, str], work: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> bool:
        """Do some work, and mostly kill it before or after a step; return whether it was."""
        owner, name = at
        real, after, left = getattr(owner, name), self.random.random() < 0.5, self.random.randint(0, 3)

        def step(*arguments: object, **options: object) -> object:
            nonlocal left
            left -= 1
            if left == -1 and not after:
                raise KilledError
            result = real(*arguments, **options)
            if left == -1:
                raise KilledError
            return result

        with monkeypatch.context() as patched:
            if self.random.random() < 0.7:
                patched.setattr(owner, name, step)
            try:
                work()
            except BaseException as error:  # noqa: BLE001 (whatever is made of a kill)
                assert "Killed" in repr(error), error  # noqa: PT017
        return left < 0

    def check(self) -> None:
        """Raise AssertionError unless what is there is what the branches say."""
        for _ in range(3):
            self.story.reconcile()
        wanted = {preview_of(name) for name in {*self.there, "scratch"}}
        assert set(self.story.previews().values()) == {*self.there, "scratch"}
        assert set(self.story.previews()) == wanted
        assert {found.environment for found in self.story.store.previews.there()} == wanted
        for name in self.there:
            commit = git(self.story.app.bare, "rev-parse", f"refs/heads/{name}")
            assert self.story.values(preview_of(name)).source.commit == commit
        open_ones = {found.environment for found in self.story.store.deployments.newest(10_000) if not found.ended}
        assert {name for name in open_ones if name.startswith("preview-")} <= wanted
        self.machine.restart()
        self.machine.look()
        heads = {name: git(self.story.app.bare, "rev-parse", f"refs/heads/{name}") for name in (*self.there, "scratch")}
        folders = {preview_of(name): commit for name, commit in heads.items()}
        staging = self.story.values("staging").source.commit
        assert self.machine.commits() == {**folders, "staging": staging}


@pytest.fixture
def previews(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[RandomPreviews]:
    world.restart(PREVIEWS="100")
    made = RandomPreviews(world, 1, monkeypatch)
    yield made
    made.story.loop.close()


def test_the_environments_that_are_left_are_those_of_the_branches_that_are_left(
    previews: RandomPreviews, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(ROUNDS):
        previews.step()
        previews.look(monkeypatch)
    assert min(previews.kills, previews.kills_of_sync) >= 3
    previews.check()
