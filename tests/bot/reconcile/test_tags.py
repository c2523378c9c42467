"""Which tag is the newest, told as stories."""

from tests.support.forge import APP
from tests.support.stories.bot import Story


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
