"""Production after staging, told as stories: real repositories, a real bot, and what sync reports."""

import pytest
from sqlalchemy.exc import OperationalError

from bot.loop import Loop
from bot.model.names import RepoPath
from bot.model.registration import Target
from bot.store.tables import Deployment
from tests.support.forge import APP, CONFIG
from tests.support.reports import receipt
from tests.support.stories.bot import Story, running
from tests.support.waiting import eventually
from tests.support.world import World

pytestmark = pytest.mark.slow

GATED = {".dppctl.yaml": CONFIG.rstrip() + "\n        after: staging\n"}
FILES = APP | GATED


def push(story: Story, files: dict[str, str] = FILES, tag: str | None = "v1") -> str:
    """Push to master, and with a tag; the commit."""
    commit = story.app.push(files)
    if tag:
        story.app.tag(tag)
    story.reconcile()
    return commit


@pytest.fixture
def waiting(story: Story) -> str:
    """Push files to master with a tag v1, which waits for deployment 3 of them; the commit."""
    push(story, tag=None)
    return push(story, {"new": "1"})


def production(story: Story) -> Deployment:
    """Return the newest deployment to production, with its events."""
    found = story.store.deployments.get(story.store.deployments.newest(1, environment="production")[0].id)
    assert found
    return found


def said(story: Story) -> list[str]:
    return [f"{event.phase}: {event.message}" for event in production(story).events]


def test_a_tag_waits_and_goes_on_by_itself_as_the_same_deployment(story: Story, waiting: str) -> None:
    found = production(story)
    assert (found.state, found.gate, found.ops_commit, found.ref) == ("waiting", "staging", None, "refs/tags/v1")
    assert (found.subject, found.author) == ("change", "ann@example.org")
    for _ in range(2):  # the next look finds what waits, and has nothing new to say
        assert "production: waits for staging" in str(story.reconcile().reason("refs/tags/v1"))
    assert said(story) == ["waiting: waits for staging"]
    assert story.runs("production") is None
    story.report("succeeded", receipt=receipt(3), environment="staging")
    story.loop.take()
    assert story.runs("production") == ("refs/tags/v1", waiting)
    gone_on = production(story)
    assert (gone_on.id, gone_on.state, gone_on.gate) == (found.id, "waiting", None)
    assert gone_on.tree == story.app.git("rev-parse", "HEAD^{tree}")
    assert said(story)[-1].startswith("committed: ops repo commit ")
    assert said(story)[-1].endswith("; its files ran well in staging (deployment 3)")
    story.report("succeeded", environment="production")
    assert production(story).state == "succeeded"


def test_what_failed_in_staging_goes_nowhere_until_it_runs_well_there(story: Story, waiting: str) -> None:
    waited = production(story).id
    story.report("failed", "no rows", environment="staging")
    story.loop.take()
    refused = production(story)
    assert (refused.id, refused.state, refused.gate) == (waited, "refused", None)
    assert refused.error == "these files failed in staging (deployment 3)"
    story.reconcile()
    assert production(story).id == waited  # it is said once
    assert story.ask("retry", "staging", deployment=3).state == "done"
    story.loop.take()
    assert (production(story).state, production(story).gate) == ("waiting", "staging")
    story.report("succeeded", environment="staging")
    story.loop.take()
    assert story.runs("production") == ("refs/tags/v1", waiting)


def test_the_same_files_count_whatever_commit_has_them(story: Story) -> None:
    push(story, tag=None)
    story.report("succeeded", environment="staging")
    commit = story.app.push({}, branch="release", message="Release")  # nothing but a message, and not on master
    story.app.tag("v1")
    story.reconcile()
    assert story.runs("production") == ("refs/tags/v1", commit)


def test_files_that_staging_does_not_get_wait_and_it_is_said_what_to_do(story: Story) -> None:
    push(story, tag=None)
    other = story.app.push({"more": "1"}, branch="release")
    story.app.tag("v1")
    story.reconcile()
    (text,) = said(story)
    assert "where these files have not run, as master (" in text
    assert "`dppctl deploy ann/app staging --ref v1` runs them there" in text
    request = story.ask("deploy", "staging", ref="v1")
    assert request.state == "done", request.message
    story.report("succeeded", environment="staging")
    story.loop.take()
    assert story.runs("production") == ("refs/tags/v1", other)


def test_of_two_tags_the_newer_one_waits(story: Story, waiting: str) -> None:
    older = production(story).id
    newer = push(story, {"more": "1"}, tag="v2")
    story.report("succeeded", environment="staging")
    story.loop.take()
    first = story.store.deployments.get(older)
    assert first
    assert (first.state, first.gate, first.events[-1].message) == ("superseded", None, f"by {newer[:12]}")
    assert story.runs("production") == ("refs/tags/v2", newer)
    assert waiting != newer


def test_by_hand_nothing_waits_and_that_is_said(story: Story, waiting: str) -> None:
    waited = production(story).id
    request = story.ask("deploy", "production", ref="v1")
    assert "by hand it does not wait for staging, where these files have not run well" in request.message
    assert story.runs("production") == ("refs/tags/v1", waiting)
    assert production(story).id == waited


def test_what_waits_can_be_cancelled_and_held(story: Story, waiting: str) -> None:
    waited = production(story).id
    assert story.ask("cancel", "production", deployment=waited).state == "done"
    assert production(story).state == "cancelled"
    story.report("succeeded", environment="staging")
    story.loop.take()
    assert story.runs("production") is None  # until something new is pushed
    newer = push(story, {"more": "1"}, tag="v2")
    assert production(story).state == "waiting"
    assert story.ask("hold", "production", "elections").state == "done"
    story.reconcile()
    assert (production(story).state, production(story).error) == ("skipped", "held: elections")
    story.report("succeeded", environment="staging")
    assert story.ask("release", "production").state == "done"
    story.loop.take()
    assert story.runs("production") == ("refs/tags/v2", newer)
    assert waiting != newer


def test_a_tag_that_is_gone_waits_for_nothing(story: Story, waiting: str) -> None:
    story.app.git("push", "--quiet", "origin", ":refs/tags/v1")
    story.reconcile()
    assert (production(story).state, production(story).commit) == ("superseded", waiting)


def test_a_bot_killed_after_stagings_success_goes_on_at_its_next_start(story: Story, waiting: str) -> None:
    story.loop.close()  # killed: it has not looked again
    story.report("succeeded", environment="staging")
    again = Story(story.world)
    with running(again.loop):
        eventually(lambda: again.runs("production") == ("refs/tags/v1", waiting), "production goes on")
    assert [environment for environment, _ in again.deployments()].count("production") == 1


def test_a_bot_killed_between_push_and_record_finds_its_own_commit(
    story: Story, waiting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited = production(story).id
    story.report("succeeded", environment="staging")

    def killed(*_: object) -> int:
        raise OperationalError("", {}, Exception("killed"))

    with monkeypatch.context() as patched:
        patched.setattr(type(story.store.deployments), "record", killed)
        story.loop.take()
    story.loop.close()
    assert story.runs("production") == ("refs/tags/v1", waiting)
    assert production(story).ops_commit is None
    again = Story(story.world)
    again.reconcile()
    found = production(again)
    assert (found.id, found.gate, found.subject) == (waited, None, "change")
    assert found.ops_commit
    again.reconcile()
    assert [environment for environment, _ in again.deployments()].count("production") == 1
    again.loop.close()


def test_files_that_staging_has_already_need_not_run_there_again(story: Story) -> None:
    push(story, tag=None)
    story.report("succeeded", environment="staging")
    commit = push(story, {}, tag="v1")  # another commit with the same files
    assert story.runs("production") == ("refs/tags/v1", commit)
    assert story.deployments() == [("staging", "succeeded"), ("production", "waiting")]


def test_the_environment_that_is_waited_for_may_be_in_another_ops_repo(world: World) -> None:
    others = world.forge.repository("ann/other")
    others.push({"README.md": "live"})
    entry = "    - appRepoPath: ann/app\n      opsRepoPath: ann/other\n      actions:\n      - tags"
    config = CONFIG.replace("      - tags", entry)
    story = Story(world)
    live = Target(RepoPath("ann/app"), RepoPath("ann/other"), "production")
    story.loop.close()
    targets = frozenset({live, *(found for found in story.targets if found.environment == "staging")})
    story.loop = Loop(world.settings, targets, world.git, world.store, lambda: None)
    story.app.push(APP | {".dppctl.yaml": f"{config.rstrip()}\n        after: staging\n"})
    story.reconcile()
    story.app.tag("v1")
    story.reconcile()
    assert (production(story).state, production(story).gate) == ("waiting", "staging")
    story.report("succeeded", environment="staging")
    story.loop.take()
    assert 'ref: "refs/tags/v1"' in others.file("environments/production/values.auto-updated.yaml")
    story.loop.close()
