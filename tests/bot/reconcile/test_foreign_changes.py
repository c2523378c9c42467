"""What others change in the bot's files of the ops repo holds the environment, and is not written over: as stories."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from structlog.typing import EventDict

from bot.git.command import Git
from bot.model.reports import SyncEvent
from tests.support.forge import APP
from tests.support.stories.bot import Story
from tests.support.world import World

pytestmark = pytest.mark.slow

FILE = "environments/staging/values.auto-updated.yaml"


@pytest.fixture
def commits(story: Story) -> list[str]:
    """Deploy two commits to staging, one after the other."""
    found = []
    for content in ("1", "2"):
        found.append(story.app.push({**APP, "file": content}))
        story.reconcile()
    story.ops.pull()
    return found


def revert(story: Story) -> str:
    """Do what a person does who wants the deployment before the last one back."""
    story.ops.pull()
    story.ops.git("revert", "--no-edit", "HEAD")
    story.ops.git("push", "--quiet", "origin", "HEAD:master")
    return story.ops.git("rev-parse", "HEAD")


def cherry_pick(story: Story) -> str:
    story.ops.git("checkout", "--quiet", "HEAD~1", "--", FILE)
    story.ops.git("commit", "--quiet", "--no-edit", "--reuse-message", "HEAD~1", "--reset-author")
    story.ops.git("commit", "--quiet", "--amend", "--no-edit", "--author", "dppctl <dppctl@example.org>")
    story.ops.git("push", "--quiet", "origin", "HEAD:master")
    return story.ops.git("rev-parse", "HEAD")


def remove(story: Story) -> str:
    story.ops.git("rm", "--quiet", FILE)
    return story.ops.push_all(message="staging is not needed")


def spoil(story: Story) -> str:
    return story.ops.push({FILE: "{ not ours"}, message="oops")


def by_hand(story: Story, environment: str, ref: str | None = None) -> tuple[str, str]:
    number = story.store.requests.add("ann/app", environment, ref=ref, by="local:ann")
    story.loop.take()
    found = story.store.requests.get(number)
    assert found
    return found.state, found.message


def holds(story: Story) -> list[tuple[str, str | None]]:
    return [(hold.environment, hold.ops_commit) for hold in story.store.holds.all()]


def test_a_revert_holds_the_environment_until_it_is_deployed_by_hand(
    story: Story, commits: list[str], warned: list[EventDict]
) -> None:
    commit = revert(story)
    for _ in range(3):
        story.reconcile()
        assert story.runs("staging") == ("refs/heads/master", commits[0])
    reason = (
        f'ops repo commit {commit[:12]} of ann@example.org (Revert "Deploy ann/app master ({commits[1][:12]}) to '
        "staging\") changed what dppctl wrote; `dppctl release ann/app staging` takes dppctl's values again"
    )
    assert [(hold.environment, hold.reason) for hold in story.store.holds.all()] == [("staging", reason)]
    assert story.deployments()[2:] == [("staging", "skipped")]
    assert story.last().error == f"held: {reason}"
    assert [(event["event"], event["ops_commit"]) for event in warned] == [("held", commit)]
    story.app.push({"file": "3"})
    result = story.reconcile()
    assert (result.reason("refs/heads/master") or "").startswith("staging: not deployed, held: ops repo commit")
    assert story.runs("staging") == ("refs/heads/master", commits[0])
    assert by_hand(story, "staging")[0] == "done"
    newest = story.app.git("rev-parse", "HEAD")
    assert story.runs("staging") == ("refs/heads/master", newest)
    assert holds(story) == []
    after = story.app.push({"file": "4"})
    story.reconcile()
    assert story.runs("staging") == ("refs/heads/master", after)


@pytest.mark.parametrize("change", [cherry_pick, remove, spoil])
def test_any_change_by_others_holds_the_environment(
    story: Story, commits: list[str], change: Callable[[Story], str]
) -> None:
    assert len(commits) == 2
    commit = change(story)
    log = story.ops.log()
    for _ in range(2):
        story.reconcile()
        assert (story.ops.log(), holds(story)) == (log, [("staging", commit)])
    assert by_hand(story, "staging")[0] == "done"
    assert story.runs("staging") == ("refs/heads/master", commits[1])
    assert holds(story) == []


def test_what_is_put_back_is_not_held_any_more(story: Story, commits: list[str]) -> None:
    revert(story)
    story.reconcile()
    assert len(holds(story)) == 1
    revert(story)
    story.reconcile()
    assert story.runs("staging") == ("refs/heads/master", commits[1])
    assert holds(story) == []
    commit = story.app.push({"file": "3"})
    story.reconcile()
    assert story.runs("staging") == ("refs/heads/master", commit)


def test_a_change_that_says_the_same_holds_nothing(story: Story, commits: list[str]) -> None:
    assert len(commits) == 2
    story.ops.push({FILE: f"# looked at\n{story.ops.file(FILE)}\n"})
    story.ops.push({"environments/staging/values.yaml": "people: write this\n", "README.md": "more"})
    story.reconcile()
    commit = story.app.push({"file": "3"})
    story.reconcile()
    assert story.runs("staging") == ("refs/heads/master", commit)
    assert holds(story) == []


def test_a_change_that_sync_has_deployed_is_still_not_the_bots(story: Story, commits: list[str]) -> None:
    commit = revert(story)
    source = {"app": "ann/app", "environment": "staging", "ref": "refs/heads/master", "commit": commits[0]}
    for phase in ("started", "succeeded"):
        event = {"ops_commit": commit, "phase": phase, "time": datetime.now(UTC), **source}
        story.store.deployments.report(SyncEvent.model_validate(event))
    story.app.push({"file": "3"})
    story.reconcile()
    assert story.runs("staging") == ("refs/heads/master", commits[0])
    assert holds(story) == [("staging", commit)]


def test_without_a_store_what_the_last_commit_says_of_itself_counts(world: World, story: Story) -> None:
    story.app.push({**APP, "file": "1"})
    story.reconcile()
    for is_held in (False, True):
        commit = story.app.push({"file": str(is_held)})
        if is_held:
            revert(story)
        story.loop.close()
        story.store.close()
        Path(world.settings.database_url.removeprefix("sqlite:///")).unlink()
        world.restart()
        story = Story(world)
        story.reconcile()
        assert (story.runs("staging") != ("refs/heads/master", commit)) == is_held
        assert len(holds(story)) == is_held
    story.loop.close()


def test_a_revert_between_a_look_and_the_push_is_not_written_over(
    story: Story, commits: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    story.app.push({"file": "3"})
    run, reverted = Git.run, list[str]()

    def overtaken(git: Git, folder: Path, *arguments: str, **options: object) -> bytes:
        if arguments[0] == "push" and not reverted:
            reverted.append(revert(story))
        return run(git, folder, *arguments, **options)

    monkeypatch.setattr(Git, "run", overtaken)
    failure = story.reconcile().failure or ""
    assert failure == f"ann/ops: {FILE} was changed by somebody meanwhile; it is looked at again"
    assert story.reconcile().failure is None
    assert story.runs("staging") == ("refs/heads/master", commits[0])
    assert holds(story) == [("staging", reverted[0])]


def test_a_hold_of_a_person_stays_beside_a_change_by_others(story: Story, commits: list[str]) -> None:
    story.store.holds.set("ann/app", "staging", "elections")
    commit = revert(story)
    story.reconcile()
    assert [hold.reason for hold in story.store.holds.all()] == ["elections"]
    story.store.holds.release("ann/app", "staging")
    story.reconcile()
    assert story.runs("staging") == ("refs/heads/master", commits[0])
    assert holds(story) == [("staging", commit)]


def test_another_ref_by_hand_ends_the_hold_as_any_other(story: Story, commits: list[str]) -> None:
    revert(story)
    story.reconcile()
    assert by_hand(story, "staging", commits[0])[0] == "done"
    story.reconcile()
    assert story.runs("staging") == (commits[0], commits[0])
    assert holds(story) == [("staging", None)]
    commit = story.app.push({"file": "3"})
    story.reconcile()
    assert story.runs("staging") == ("refs/heads/master", commit)
    assert holds(story) == []


def test_other_environments_are_not_held(story: Story, commits: list[str]) -> None:
    revert(story)
    story.app.tag("v1")
    story.reconcile()
    assert story.runs("production") == ("refs/tags/v1", commits[1])
    assert [environment for environment, _ in holds(story)] == ["staging"]


def test_words_of_an_odd_commit_are_one_short_line(story: Story, commits: list[str]) -> None:
    story.ops.push({FILE: "{ not ours"}, message="\x1b[2J\u202e" + "words " * 99)
    story.ops.git("commit", "--quiet", "--amend", "--no-edit", "--author", "a\x1fb\u2028\x1b[2J <a@example.org>")
    story.ops.git("push", "--quiet", "--force", "origin", "HEAD:master")
    story.reconcile()
    (hold,) = story.store.holds.all()
    assert hold.reason.isprintable()
    assert len(hold.reason) < 400
    assert len(commits) == 2
