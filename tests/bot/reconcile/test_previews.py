"""Previews: environments that branches have of their own, from the push to the end of the branch."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from bot.model.acts import Act
from bot.model.receipt import FieldResult, PipelineResult, Receipt, ResourceResult
from bot.model.reports import SyncEvent
from tests.support.forge import SPEC
from tests.support.stories.previews import PREVIEW_APP, WITH_PREVIEWS, PreviewStory
from tests.support.world import World

pytestmark = pytest.mark.slow
NAME = "preview-new-chart"


@pytest.fixture
def story(world: World) -> Iterator[PreviewStory]:
    story = PreviewStory(world)
    story.app.push(PREVIEW_APP)
    yield story
    story.loop.close()


def test_a_branch_has_an_environment_until_it_is_deleted(story: PreviewStory) -> None:
    commit = story.branch("new-chart")
    story.reconcile()
    assert story.runs("preview-new-chart") == ("refs/heads/new-chart", commit)
    assert story.runs("staging") is not None
    newer = story.branch("new-chart", {"who.txt": "again"})
    story.reconcile()
    assert story.runs("preview-new-chart") == ("refs/heads/new-chart", newer)
    story.delete("new-chart")
    story.reconcile()
    assert story.previews() == {}
    assert story.trailers() == {
        "App": "ann/app",
        "Environment": "preview-new-chart",
        "Removed": "branch new-chart is not there any more",
    }
    assert story.runs("staging") is not None
    assert dict(story.deployments())["preview-new-chart"] == "superseded"
    assert story.store.previews.there() == []
    assert [found.environment for found in story.store.deployments.environments()] == ["staging"]
    before = story.ops.log()
    story.reconcile()
    assert story.ops.log() == before
    again = story.branch("new-chart")
    story.reconcile()
    assert story.runs("preview-new-chart") == ("refs/heads/new-chart", again)


def test_branches_that_another_action_names_have_none(story: PreviewStory) -> None:
    story.branch("new-chart")
    story.reconcile()
    assert story.previews() == {"preview-new-chart": "new-chart"}


def test_what_a_fork_s_pull_request_has_is_no_branch_here(story: PreviewStory) -> None:
    commit = story.branch("theirs")
    story.app.git("push", "--quiet", "origin", f"{commit}:refs/pull/1/head", f"{commit}:refs/pull/1/merge")
    story.delete("theirs")
    story.branch("ours")
    story.reconcile()
    assert story.previews() == {"preview-ours": "ours"}
    assert {found.commit for found in story.store.deployments.newest()}.isdisjoint({commit})


def test_names_that_differ_by_what_no_label_has_do_not_collide(story: PreviewStory) -> None:
    names = ["Feature/One", "feature/one", "feature-one", "תצוגה", "x" * 100]
    for name in names:
        story.branch(name)
    story.reconcile()
    found = story.previews()
    assert sorted(found.values()) == sorted(names)
    assert all(len(name) <= 50 and name.isascii() for name in found)


def test_schedules_do_not_run_in_previews(story: PreviewStory) -> None:
    spec = SPEC.replace("one:", 'one:\n      schedule: {crontab: "0 6 * * *"}')
    story.branch("new-chart", {"pipeline-spec.yaml": spec})
    story.app.push({"pipeline-spec.yaml": spec})
    story.reconcile()
    assert [found.schedule for found in story.values("staging").pipelines] == ["0 6 * * *"]
    assert [found.schedule for found in story.values("preview-new-chart").pipelines] == [None]


def test_only_so_many_have_one_the_most_recently_pushed(world: World) -> None:
    world.restart(PREVIEWS="2")
    story = PreviewStory(world)
    story.app.push(PREVIEW_APP)
    for name in ("one", "two", "three"):
        story.branch(name)
        story.reconcile()
    assert set(story.previews().values()) == {"two", "three"}
    reason = story.reconcile().reason("refs/heads/one")
    assert reason == (
        "preview-one: not deployed, 2 other branches were pushed more recently, and no more have a preview "
        "(DPPCTL_PREVIEWS)"
    )
    story.branch("one", {"who.txt": "one more"})
    story.reconcile()
    assert set(story.previews().values()) == {"one", "three"}
    story.delete("one")
    story.reconcile()
    assert set(story.previews().values()) == {"two", "three"}
    story.loop.close()


def test_an_idle_branch_has_none_until_it_is_pushed_again(story: PreviewStory) -> None:
    story.branch("old")
    story.branch("new")
    story.reconcile()
    story.reconcile()  # so that nothing else is to be done
    story.age("old", 15)
    story.reconcile()
    assert set(story.previews().values()) == {"new"}
    assert "DPPCTL_PREVIEW_DAYS" in str(story.reconcile().reason("refs/heads/old"))
    story.branch("old", {"who.txt": "back"})
    story.reconcile()
    assert set(story.previews().values()) == {"new", "old"}


def test_a_branch_whose_configuration_is_broken_keeps_its_preview(story: PreviewStory) -> None:
    commit = story.branch("new-chart")
    story.reconcile()
    story.branch("new-chart", {".dppctl.yaml": "nonsense: yes"})
    story.reconcile()
    assert story.runs("preview-new-chart") == ("refs/heads/new-chart", commit)
    assert story.last().state == "refused"
    story.branch("new-chart", {".dppctl.yaml": WITH_PREVIEWS.replace('"*"', '"other-*"')})
    story.reconcile()
    assert story.previews() == {}


def test_without_registration_it_is_said_once_what_to_add(world: World) -> None:
    story = PreviewStory(world, ("staging", "production"))
    story.app.push(PREVIEW_APP)
    story.branch("one")
    story.branch("two")
    story.reconcile()
    refused = [found for found in story.store.deployments.newest() if found.state == "refused"]
    assert [(found.environment, found.error) for found in refused] == [
        (
            "preview-*",
            (
                "ann/app is not registered for preview-* of ann/ops, so that branches have no previews; "
                "add preview-* to its environments in apps.yaml"
            ),
        )
    ]
    story.loop.close()
    story = PreviewStory(world)
    story.reconcile()
    assert set(story.previews().values()) == {"one", "two"}
    assert ("preview-*", "resolved") in story.deployments()
    story.loop.close()


def test_a_bot_that_ended_before_it_recorded_a_removal_does_so_later(
    story: PreviewStory, monkeypatch: pytest.MonkeyPatch
) -> None:
    story.branch("new-chart")
    story.reconcile()
    story.delete("new-chart")

    def killed(*_: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(story.store.previews, "end", killed)
        story.reconcile()
    assert story.previews() == {}
    assert [found.environment for found in story.store.previews.there()] == ["preview-new-chart"]
    story.reconcile()
    assert story.store.previews.there() == []
    assert dict(story.deployments())["preview-new-chart"] == "superseded"


def test_acts_on_previews_work_or_say_why_not(story: PreviewStory) -> None:
    commit = story.branch("new-chart")
    story.reconcile()
    assert story.ask("hold", "preview-new-chart", "elections").state == "done"
    story.branch("new-chart", {"who.txt": "held back"})
    story.reconcile()
    assert story.runs("preview-new-chart") == ("refs/heads/new-chart", commit)
    assert story.ask("release", "preview-new-chart").state == "done"
    story.reconcile()
    assert story.runs("preview-new-chart") != ("refs/heads/new-chart", commit)
    refused = story.ask("deploy", "preview-nothing", ref="master")
    assert (refused.state, refused.message) == (
        "refused",
        "preview-nothing of ann/app: no branch that is there asks for this preview",
    )
    story.ask("hold", "preview-new-chart", "for ever")
    story.delete("new-chart")
    story.reconcile()
    assert story.previews() == {}
    assert story.holds() == {}


def test_a_preview_goes_back_is_tried_again_is_cancelled_and_is_promoted(story: PreviewStory) -> None:
    first = story.branch("new-chart")
    story.reconcile()
    story.report("succeeded", environment=NAME)
    kept = story.store.deployments.newest(1, environment=NAME)[0]
    second = story.branch("new-chart", {"who.txt": "again"})
    story.reconcile()
    story.report("succeeded", kept=(kept.ops_commit or "", story.last().ops_commit or ""))
    assert story.ask("rollback", NAME).state == "done"
    story.reconcile()
    assert story.runs(NAME) == ("refs/heads/new-chart", first)
    story.report("failed", "it broke", environment=NAME)
    assert story.ask("retry", NAME, deployment=story.last().id).state == "done"
    assert story.runs(NAME) == ("refs/heads/new-chart", first)
    third = story.branch("new-chart", {"who.txt": "once more"})
    story.reconcile()
    assert story.runs(NAME) == ("refs/heads/new-chart", third)
    assert story.ask("cancel", NAME, deployment=story.last().id).state == "done"
    story.reconcile()
    assert story.runs(NAME) == ("refs/heads/new-chart", second)
    assert story.ask("promote", "production", "as it looks", from_environment=NAME).state == "done"
    assert story.runs("production") == (second, second)
    refused = story.ask("promote", NAME, from_environment="staging")
    assert (refused.state, refused.message.partition(";")[0]) == (
        "refused",
        "preview-new-chart of ann/app has what its branch has, so nothing is promoted to it",
    )
    story.delete("new-chart")
    story.reconcile()
    assert story.previews() == {}
    newest = story.store.deployments.newest(1, environment=NAME)[0].id
    acts: list[tuple[Act, dict[str, Any]]] = [
        ("rollback", {"to_deployment": kept.id}),
        ("retry", {"deployment": newest}),
        ("cancel", {"deployment": newest}),
        ("hold", {}),
        ("release", {}),
    ]
    for act, given in acts:
        request = story.ask(act, NAME, "please", **given)
        assert (act, request.state, request.message) == (
            act,
            "refused",
            "preview-new-chart of ann/app: no branch that is there asks for this preview",
        )
    refused = story.ask("promote", "production", from_environment=NAME)
    assert (refused.state, "no branch that is there asks for this preview" in refused.message) == ("refused", True)
    assert (story.previews(), story.holds().keys() & {NAME}) == ({}, set())


def test_its_data_is_compared_with_that_of_the_named_environment(story: PreviewStory) -> None:
    story.branch("new-chart")
    story.reconcile()
    for environment, rows in (("staging", 100), ("preview-new-chart", 103), ("preview-new-chart", 105)):
        found = story.store.deployments.newest(1, environment=environment)[0]
        if rows == 105:
            story.branch("new-chart", {"who.txt": "again"})
            story.reconcile()
            found = story.store.deployments.newest(1, environment=environment)[0]
        assert found.ops_commit
        story.store.deployments.report(
            SyncEvent(
                ops_commit=found.ops_commit,
                app="ann/app",
                environment=environment,
                ref=found.ref,
                commit=found.commit,
                phase="succeeded",
                time=datetime.now(UTC),
                message="",
                receipt=receipt(rows),
            )
        )
    summaries = {found.environment: found.summary for found in reversed(story.store.deployments.newest())}
    assert summaries["preview-new-chart"] == "105 rows (+5) in 1 table"


def test_what_is_expected_compares_with_the_named_environment(story: PreviewStory) -> None:
    story.branch("new-chart", {".dppctl.yaml": f"\n    expect: [{{maxDropPercent: 5}}, {{minRows: 1}}]{WITH_PREVIEWS}"})
    story.reconcile()
    expect = story.values("preview-new-chart").expect
    assert [(found.max_drop_percent, found.compared_with) for found in expect] == [(5, "staging"), (None, None)]


def receipt(rows: int) -> Receipt:
    resource = ResourceResult(name="numbers", rows=rows, fields=(FieldResult(name="number", type="integer"),))
    pipeline = PipelineResult(
        id="./one", status="succeeded", rows=rows, bytes=1, hash=str(rows), seconds=1.0, stats={}, resources=(resource,)
    )
    now = datetime.now(UTC)
    return Receipt(status="succeeded", pipelines=(pipeline,), source=None, image=None, started=now, ended=now)
