"""Apps for which there is nothing to do are not looked at again, after a restart too."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from bot.git.command import Git
from bot.git.gitpython import Process
from bot.loop import Loop
from bot.model.webhook_events import Push
from tests.support.forge import APP
from tests.support.stories.bot import Story
from tests.support.world import World

pytestmark = pytest.mark.slow


@pytest.fixture
def gits(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The commands of git, as they start."""
    started: list[str] = []
    start = Git._start

    def counted(
        git: Git, folder: Path, environment: Mapping[str, str], command: Sequence[str], **more: bool
    ) -> Process:
        started.append(next(part for part in command[1:] if part != "-c" and "=" not in part))
        return start(git, folder, environment, command, **more)

    monkeypatch.setattr(Git, "_start", counted)
    return started


def looks(story: Story, gits: list[str]) -> int:
    """Return how many repositories are opened for what a start leads to; the ops repo is one."""
    gits.clear()
    assert not story.reconcile().failure
    return gits.count("cat-file")


def restart(world: World, story: Story) -> None:
    """Start the bot again on the same state."""
    story.loop.close()
    story.loop = Loop(world.settings, story.targets, world.git, story.store, lambda: None)


def settle(story: Story, files: dict[str, str] = APP) -> str:
    """Push, and let the bot look until there is nothing to do; return the commit."""
    commit = story.app.push(files)
    for _ in range(2):
        assert not story.reconcile().failure
    return commit


def test_a_start_looks_at_no_app_that_is_unchanged(world: World, story: Story, gits: list[str]) -> None:
    commit = settle(story)
    restart(world, story)
    assert looks(story, gits) == 1
    assert sorted(gits) == ["cat-file", "log", "ls-remote", "ls-remote"]
    assert looks(story, gits) == 1
    assert story.runs("staging") == ("refs/heads/master", commit)


def change_app(story: Story) -> None:
    story.app.push({"file": "changed while the bot was away"})


def change_values(story: Story) -> None:
    path = "environments/staging/values.auto-updated.yaml"
    story.ops.push({path: story.ops.file(path).replace("refs/heads/master", "refs/heads/old")})


def change_hold(story: Story) -> None:
    story.store.holds.set("ann/app", "staging", "we wait")


def change_registration(story: Story) -> None:
    story.targets = frozenset(target for target in story.targets if target.environment == "staging")


@pytest.mark.parametrize("change", [change_app, change_values, change_hold, change_registration])
def test_a_start_looks_at_what_changed_meanwhile(
    world: World, story: Story, change: Callable[[Story], None], gits: list[str]
) -> None:
    settle(story)
    change(story)
    restart(world, story)
    assert looks(story, gits) >= 2


def test_a_delivery_after_a_restart_is_still_told_why_nothing_is_deployed(world: World, story: Story) -> None:
    settle(story)
    commit = story.app.push({"file": "1"}, branch="feature")
    story.reconcile()
    restart(world, story)
    story.reconcile()
    story.store.deliveries.record("again", Push("push", "ann/app", "refs/heads/feature", commit, commit))
    story.loop.take()
    found = next(delivery for delivery in story.store.deliveries.newest() if delivery.id == "again")
    assert "no action of .dppctl.yaml fits branch feature" in (found.reason or "")
