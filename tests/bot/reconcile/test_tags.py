"""Which tag is the newest, told as stories."""

import pytest
from sqlalchemy import text

from tests.support.forge import APP
from tests.support.stories.bot import Story

pytestmark = pytest.mark.slow


def test_tags_that_were_there_before_the_app_was_registered_deploy_nothing(story: Story) -> None:
    story.app.push(APP)
    story.app.tag("v1.0.0")
    story.reconcile()
    assert story.runs("production") is None
    commit = story.app.push({"file": "new"})
    story.app.tag("v0.9.1")
    story.reconcile()
    assert story.runs("production") == ("refs/tags/v0.9.1", commit)


def test_of_tags_that_appear_at_once_the_highest_version_is_deployed(story: Story) -> None:
    story.reconcile()
    for version in ("v1.9.0", "v1.10.0", "v1.10.0-rc.1"):
        story.app.push({**APP, "file": version})
        story.app.tag(version)
    story.reconcile()
    assert (story.runs("production") or [""])[0] == "refs/tags/v1.10.0"
    story.app.push({"file": "a fix for the old one"})
    story.app.tag("v1.9.1")
    story.reconcile()
    assert (story.runs("production") or [""])[0] == "refs/tags/v1.9.1"


def test_a_moved_tag_is_deployed_anew(story: Story) -> None:
    story.app.push(APP)
    story.reconcile()
    for number in range(2):
        story.app.tag(f"v{number}")
        story.app.push({"file": str(number)})
        story.reconcile()
    story.app.git("tag", "--force", "v0")
    story.app.git("push", "--quiet", "--force", "origin", "v0")
    story.reconcile()
    assert story.runs("production") == ("refs/tags/v0", story.app.git("rev-parse", "HEAD"))


def with_old_tags(story: Story) -> None:
    """Register an app that has tags already, at commits of their own."""
    for name in ("v1.0", "v2.0"):
        story.app.push({**APP, "file": name})
        story.app.tag(name)
    story.reconcile()
    assert story.runs("production") is None


def test_tags_that_are_gone_for_a_moment_are_not_new(story: Story) -> None:
    with_old_tags(story)
    commit = story.app.push({"file": "new"})
    story.app.tag("v1.5")
    story.reconcile()
    assert story.runs("production") == ("refs/tags/v1.5", commit)
    tags = ["v1.0", "v2.0", "v1.5"]
    story.app.git("push", "--quiet", "origin", "--delete", *tags)
    story.reconcile()
    story.app.git("push", "--quiet", "origin", *tags)
    for _ in range(2):
        story.reconcile()
        assert story.runs("production") == ("refs/tags/v1.5", commit)
    assert len(story.ops.log()) == 4


def test_a_repository_that_is_emptied_and_filled_again_is_as_before(story: Story) -> None:
    with_old_tags(story)
    story.app.git("push", "--quiet", "origin", "--delete", "v1.0", "v2.0")
    story.app.bare.joinpath("refs/heads/master").unlink()
    failure = story.reconcile().failure or ""
    assert "ann/app: git ls-remote: " in failure
    assert "3 branches and tags" in failure
    assert story.reconcile().failure == failure
    story.app.git("push", "--quiet", "origin", "v1.0", "v2.0", "HEAD:refs/heads/master")
    assert story.reconcile().failure is None
    assert story.runs("production") is None
    assert len(story.ops.log()) == 2


def test_a_tag_that_comes_back_at_another_commit_has_moved(story: Story) -> None:
    with_old_tags(story)
    story.app.git("push", "--quiet", "origin", "--delete", "v1.0")
    story.reconcile()
    commit = story.app.push({"file": "new"})
    story.app.git("tag", "--force", "v1.0")
    story.app.git("push", "--quiet", "origin", "v1.0")
    story.reconcile()
    assert story.runs("production") == ("refs/tags/v1.0", commit)


def test_an_old_tag_that_moved_and_moves_back_is_deployed_each_time(story: Story) -> None:
    with_old_tags(story)
    old = story.app.git("rev-parse", "v1.0")
    for commit in (story.app.push({"file": "new"}), old):
        story.app.git("tag", "--force", "v1.0", commit)
        story.app.git("push", "--quiet", "--force", "origin", "v1.0")
        story.reconcile()
        assert story.runs("production") == ("refs/tags/v1.0", commit)


def test_the_first_tag_of_an_app_that_had_none_is_deployed(story: Story) -> None:
    story.reconcile()
    commit = story.app.push(APP)
    story.reconcile()
    story.app.tag("v0.1")
    story.reconcile()
    assert story.runs("production") == ("refs/tags/v0.1", commit)


def test_a_database_that_lost_what_it_saw_of_an_old_tag_still_knows_that_it_is_old(story: Story) -> None:
    with_old_tags(story)
    with story.store.database.write() as session:
        session.execute(text("DELETE FROM tags_seen"))
    commit = story.app.push({"file": "new"})
    story.reconcile()
    assert story.runs("staging") == ("refs/heads/master", commit)
    assert story.runs("production") is None
