"""A commit that was amended is on no branch any more: as long as the server has it, it is as good as any."""

import shutil
from datetime import UTC, datetime

import pytest

from bot.loop import Loop
from bot.model.reports import SyncEvent
from bot.settings import Settings
from tests.support.amending import amend, forget
from tests.support.forge import APP
from tests.support.stories.bot import Story
from tests.support.world import World

pytestmark = pytest.mark.slow


def lose_disk(world: World, story: Story, settings: Settings) -> None:
    """Start again on an empty disk."""
    world.close()
    shutil.rmtree(settings.state_dir)
    world.restart()
    story.store = world.store
    story.loop = Loop(world.settings, story.targets, world.git, world.store, lambda: None)


@pytest.fixture
def amended(story: Story) -> tuple[str, str]:
    """The commit that runs, and the one that is on the branch now."""
    story.app.push(APP)
    story.reconcile()
    before, after = amend(story.app)
    assert story.reconcile().reason("refs/heads/master")
    assert story.runs("staging") == ("refs/heads/master", before)
    return before, after


def fail(story: Story) -> None:
    """Report that sync could not deploy what the ops repo says."""
    newest = story.last()
    event = {"app": newest.app, "environment": newest.environment, "ref": newest.ref, "commit": newest.commit}
    event |= {"ops_commit": newest.ops_commit, "phase": "failed", "time": datetime.now(UTC), "message": "gone"}
    story.store.deployments.report(SyncEvent.model_validate(event))


def test_what_the_server_still_has_is_not_deployed_again(
    world: World, story: Story, settings: Settings, amended: tuple[str, str]
) -> None:
    lose_disk(world, story, settings)
    assert story.reconcile().failure is None
    assert story.runs("staging") == ("refs/heads/master", amended[0])
    assert story.deployments() == []


def test_what_the_server_has_not_is_replaced_by_what_the_branch_says_now(
    world: World, story: Story, settings: Settings, amended: tuple[str, str]
) -> None:
    before, after = amended
    forget(story.app)
    lose_disk(world, story, settings)
    result = story.reconcile()
    assert story.runs("staging") == ("refs/heads/master", after)
    said = f"{before[:12]}, which it was to run, is on no branch or tag any more and gone; "
    said += "master is deployed as it is now"
    assert result.reason("refs/heads/master") == f"staging: {said}"
    found = story.store.deployments.get(story.last().id)
    assert found
    assert found.events[-1].message.endswith(f"; {said}")


def test_so_it_is_when_sync_found_out(story: Story, amended: tuple[str, str]) -> None:
    before, after = amended
    fail(story)
    story.reconcile()
    assert story.runs("staging") == ("refs/heads/master", before)  # it failed for another reason: the server has it
    forget(story.app)
    story.app.push({"x": ""}, branch="other")
    story.reconcile()
    assert story.runs("staging") == ("refs/heads/master", after)
    assert story.deployments()[-1] == ("staging", "waiting")
    assert not story.reconcile().failure


def test_a_server_that_is_away_is_not_one_without_the_commit(story: Story, amended: tuple[str, str]) -> None:
    fail(story)
    shutil.move(story.app.bare / "objects", story.app.bare / "away")
    assert story.reconcile().failure
    assert story.runs("staging") == ("refs/heads/master", amended[0])
