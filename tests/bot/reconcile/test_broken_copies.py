"""A bot whose copies of repositories get into a bad state goes on by itself."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bot.settings import Settings
from tests.support.broken_copies import BROKEN
from tests.support.forge import APP
from tests.support.stories.bot import Story

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("copy", ["apps/ann+app", "ops/ann+ops"])
@pytest.mark.parametrize("harm", BROKEN.values(), ids=BROKEN)
def test_pushes_are_deployed_although_a_copy_is_broken(
    story: Story, settings: Settings, harm: Callable[[Path], object], copy: str
) -> None:
    story.app.push(APP)
    story.reconcile()
    harm(settings.state_dir / copy)
    commit = story.app.push({"more": ""})
    for _ in range(3):
        if not story.reconcile().failure:
            break
    assert story.runs("staging") == ("refs/heads/master", commit)
    assert [state for _, state in story.deployments()] == ["superseded", "waiting"]


def test_a_lock_in_the_way_of_a_write_goes(story: Story, settings: Settings) -> None:
    story.app.push(APP)
    story.reconcile()
    commit = story.app.push({"more": ""})
    for name in ("refs/dppctl/next.lock", "refs/heads/master.lock", "packed-refs.lock"):
        (settings.state_dir / "ops/ann+ops" / name).touch()
    assert story.reconcile().failure is None
    assert story.runs("staging") == ("refs/heads/master", commit)
