"""Holds, and deployments by hand, told as stories."""

import pytest
from sqlalchemy import text

from tests.support.forge import APP
from tests.support.receiver import PUSHED
from tests.support.stories.bot import Story

pytestmark = pytest.mark.slow


def test_a_held_environment_stays_until_it_is_released(story: Story) -> None:
    story.store.holds.set("ann/app", "staging", "elections")
    commit = story.app.push(APP)
    for _ in range(2):
        story.reconcile()
    assert story.runs("staging") is None
    assert (story.deployments(), story.last().error) == ([("staging", "skipped")], "held: elections")
    story.store.holds.release("ann/app", "staging")
    story.reconcile()
    assert story.runs("staging") == ("refs/heads/master", commit)


def by_hand(story: Story, environment: str, ref: str | None = None, app: str = "ann/app") -> tuple[str, str]:
    number = story.store.requests.add(app, environment, ref=ref, by="local:ann")
    story.loop.take()
    found = story.store.requests.get(number)
    assert found
    return found.state, found.message


def test_a_ref_that_is_deployed_by_hand_stays_until_something_new_is_pushed(story: Story) -> None:
    old = story.app.push(APP)
    new = story.app.push({"file": "new"})
    story.reconcile()
    assert by_hand(story, "staging", old)[0] == "done"
    story.reconcile()
    assert story.runs("staging") == (old, old)
    assert [one.reason for one in story.store.holds.all()] == [f"{old} was deployed by hand instead of master"]
    newer = story.app.push({"file": "newer"})
    story.reconcile()
    assert story.runs("staging") == ("refs/heads/master", newer)
    assert list(story.store.holds.all()) == []
    assert story.deployments() == [("staging", "superseded"), ("staging", "superseded"), ("staging", "waiting")]
    assert by_hand(story, "staging", new[:10])[0] == "done"
    assert by_hand(story, "staging")[0] == "done"
    assert story.runs("staging") == ("refs/heads/master", newer)
    assert list(story.store.holds.all()) == []


def test_a_deployment_by_hand_begins_with_who_asked_for_it_and_when(story: Story) -> None:
    story.app.push(APP)
    story.reconcile()
    story.store.deliveries.record("1", PUSHED)
    assert by_hand(story, "staging", "master")[0] == "done"
    (request,) = (story.store.requests.get(1),)
    found = story.store.deployments.get(2)
    assert request
    assert found
    assert [(event.phase, event.message) for event in found.events][:1] == [
        ("requested", "by hand: dppctl deploy ann/app staging --ref master, by local:ann")
    ]
    assert found.events[0].time == request.created <= found.events[1].time
    assert [event.phase for event in found.events] == ["requested", "committed"]


def test_what_runs_already_can_be_run_again_by_hand_also_when_held(story: Story) -> None:
    commit = story.app.push(APP)
    story.reconcile()
    story.store.holds.set("ann/app", "staging", "elections")
    assert by_hand(story, "staging")[0] == "done"
    story.reconcile()
    assert story.runs("staging") == ("refs/heads/master", commit)
    assert len(story.ops.log()) == 3
    assert [one.reason for one in story.store.holds.all()] == ["elections"]


def test_a_tag_of_the_baseline_can_be_deployed_by_hand(story: Story) -> None:
    commit = story.app.push(APP)
    story.app.tag("v1")
    story.reconcile()
    assert by_hand(story, "production")[0] == "done"
    story.reconcile()
    assert story.runs("production") == ("refs/tags/v1", commit)


def test_a_request_that_was_done_before_a_crash_is_not_done_twice(story: Story) -> None:
    story.app.push(APP)
    assert by_hand(story, "staging")[0] == "done"
    with story.store.database.connect() as connection:
        connection.execute(text("UPDATE deploy_requests SET state = 'waiting', deployment_id = NULL"))
        connection.commit()
    story.loop.take()
    found = story.store.requests.get(1)
    assert found
    assert (found.state, found.deployment_id) == ("done", 1)
    assert len(story.ops.log()) == 2


def test_by_hand_nothing_outside_the_registration_can_be_deployed(story: Story) -> None:
    story.app.push(APP)
    for environment, ref, app, said in (
        ("staging", "v9", "ann/app", "there is no branch, tag or commit 'v9'"),
        ("staging", "f" * 40, "ann/app", "there is no branch, tag or commit"),
        ("staging", "--help", "ann/app", "there is no branch, tag or commit '--help'"),
        ("live", None, "ann/app", "not registered for live; known: "),
        ("staging", None, "bob/app", "bob/app is not registered; known: ann/app"),
        ("production", None, "ann/app", "no branch or tag triggers it; name what to deploy with --ref"),
    ):
        state, message = by_hand(story, environment, ref, app)
        assert state == "refused"
        assert said in message
    story.ops.bare.rename(story.ops.bare.with_suffix(".away"))
    assert by_hand(story, "staging")[0] == "failed"
