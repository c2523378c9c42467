"""Acts of people, told as stories: what the ops repo says then, for how long, who asked and why."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.exc import OperationalError

from bot.store.tables import DeployRequest
from tests.support.forge import APP
from tests.support.stories.bot import Story

pytestmark = pytest.mark.slow


@pytest.fixture
def deployed(story: Story) -> tuple[str, str]:
    """Deploy two commits to staging, as deployments 1 and 2; sync keeps both."""
    commits = []
    for number in (1, 2):
        commits.append(story.app.push(APP | {"file": str(number)}))
        story.reconcile()
        story.succeed(kept=range(1, number))
    return commits[0], commits[1]


def answer(request: DeployRequest) -> tuple[str, str]:
    return request.state, request.message


def test_a_rollback_brings_the_values_of_then_and_stays_until_something_new_is_pushed(
    story: Story, deployed: tuple[str, str]
) -> None:
    values = story.values("staging")
    request = story.ask("rollback", reason="wrong rows\nDppctl-Image: evil")
    assert request.state == "done", request.message
    found = story.last()
    assert (found.id, found.commit, found.act, found.by, found.login) == (3, deployed[0], "rollback", "github:1", "ann")
    assert (found.reason, found.origin_id) == ("wrong rows Dppctl-Image: evil", 1)
    assert story.values("staging") == values.model_copy(
        update={"source": values.source.model_copy(update={"commit": deployed[0]})}
    )
    first = story.store.deployments.get(1)
    assert first
    trailers = story.trailers()
    assert (trailers["Act"], trailers["By"], trailers["Image"]) == ("rollback", "github:1 (ann)", "none")
    assert (trailers["Reason"], trailers["Rollback-To"]) == ("wrong rows Dppctl-Image: evil", first.ops_commit)
    assert story.holds() == {"staging": f"rolled back to master ({deployed[0][:12]}): wrong rows Dppctl-Image: evil"}
    events = story.store.deployments.get(3)
    assert events
    assert events.events[0].message == (
        "by hand: dppctl rollback ann/app staging, by ann: wrong rows Dppctl-Image: evil"
    )
    for _ in range(2):
        story.reconcile()  # nothing undoes it by itself
    assert story.runs("staging") == ("refs/heads/master", deployed[0])
    new = story.app.push({"file": "3"})
    story.reconcile()
    assert story.runs("staging") == ("refs/heads/master", new)
    assert story.holds() == {}
    # What is not kept is gone back to by running it again.
    story.report("succeeded", kept=())
    state, message = answer(story.ask("rollback"))
    assert state == "refused"
    assert "`dppctl rollback ann/app staging --to 2 --run` runs it again" in message
    request = story.ask("rollback", to_deployment=1, run=True)
    assert request.state == "done", request.message
    assert story.values("staging").request == request.id
    assert story.runs("staging") == ("refs/heads/master", deployed[0])
    assert story.trailers()["Runs-Again"] == "yes"


def test_what_a_crash_cut_short_is_gone_on_with_and_nothing_is_written_twice(
    story: Story, deployed: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object, **__: object) -> None:
        raise OperationalError("", None, Exception("away"))

    commits = len(story.ops.log())
    with monkeypatch.context() as patch:
        patch.setattr(type(story.store.deployments), "record", die)  # between the push and its record
        story.store.requests.add("ann/app", "staging", "rollback", by="local:ann")
        story.loop.take()
    again = Story(story.world)
    again.loop.take()
    request = again.store.requests.newest()[0]
    assert (request.state, request.deployment_id) == ("done", 3), request.message
    found = again.last()
    assert (found.act, found.by, found.origin_id) == ("rollback", "local:ann", 1)
    assert len(story.ops.log()) == commits + 1
    assert again.runs("staging") == ("refs/heads/master", deployed[0])
    again.app.push({"file": "3"})
    again.reconcile()
    with monkeypatch.context() as patch:
        patch.setattr(type(again.store.holds), "set", die)  # it is cancelled, and nothing is written
        assert again.ask("cancel", deployment=4).state == "waiting"
    again = Story(story.world)
    again.reconcile()
    again.loop.take()
    assert again.store.requests.newest()[0].state == "done"
    assert again.runs("staging") == ("refs/heads/master", deployed[1])
    assert (4, "cancelled") in [(found.id, found.state) for found in again.store.deployments.newest()]
    again.reconcile()
    assert again.runs("staging") == ("refs/heads/master", deployed[1])


def test_what_is_cancelled_leaves_what_ran_and_what_is_promoted_stays(story: Story, deployed: tuple[str, str]) -> None:
    story.app.push({"file": "3"})
    story.reconcile()
    story.report("started")
    request = story.ask("cancel", deployment=3, reason="wrong branch")
    assert request.state == "done", request.message
    found = story.store.deployments.get(3)
    assert found
    assert (found.state, found.error) == ("cancelled", "cancelled by ann: wrong branch")
    assert story.runs("staging") == ("refs/heads/master", deployed[1])
    for _ in range(2):
        story.reconcile()
    assert story.runs("staging") == ("refs/heads/master", deployed[1])
    assert "deployment 3 has ended already: cancelled" in story.ask("cancel", deployment=3).message
    assert story.ask("retry", deployment=3).state == "done"
    assert story.values("staging").source.commit == found.commit
    refused = story.ask("promote", "staging", from_environment="production")
    assert "production of ann/app: nothing has run there yet that could be promoted" in refused.message
    assert "not registered for live" in story.ask("promote", "live", from_environment="staging").message
    assert "not registered for test" in story.ask("promote", "production", from_environment="test").message
    request = story.ask("promote", "production", "for the election", from_environment="staging")
    assert request.state == "done", request.message
    assert story.runs("production") == (deployed[1], deployed[1])
    assert story.last().act == "promote"
    story.reconcile()
    assert story.runs("production") == (deployed[1], deployed[1])


def test_an_environment_is_held_until_a_time_and_released(story: Story, deployed: tuple[str, str]) -> None:
    until = datetime.now(UTC) + timedelta(hours=1)
    assert answer(story.ask("hold", reason="elections", until=until))[0] == "done"
    state, message = answer(story.ask("hold", reason="holidays"))
    assert state == "refused"
    assert "is held already by ann" in message
    (hold,) = story.store.holds.all()
    assert (hold.by, hold.login, hold.until) == ("github:1", "ann", until)
    new = story.app.push({"file": "3"})
    story.reconcile()
    assert story.runs("staging") == ("refs/heads/master", deployed[1])
    assert story.ask("release").state == "done"
    story.loop.take()
    assert story.runs("staging") == ("refs/heads/master", new)
    assert "staging of ann/app is not held" in story.ask("release").message
    assert "is over already" in story.ask("hold", until=until - timedelta(hours=2)).message
    story.store.holds.set("ann/app", "staging", "short", until=datetime.now(UTC) - timedelta(seconds=1))
    newer = story.app.push({"file": "4"})
    story.loop.take()
    story.loop.take()
    assert story.holds() == {}
    assert story.runs("staging") == ("refs/heads/master", newer)


def test_a_release_takes_the_bots_values_again_over_a_change_by_a_person(
    story: Story, deployed: tuple[str, str]
) -> None:
    story.ops.pull()
    story.ops.git("revert", "--no-edit", "HEAD")
    story.ops.git("push", "origin", "HEAD")
    story.reconcile()
    (hold,) = story.store.holds.all()
    assert "dppctl release ann/app staging" in hold.reason
    assert hold.login
    assert story.runs("staging") == ("refs/heads/master", deployed[0])
    request = story.ask("release")
    assert request.state == "done", request.message
    assert story.runs("staging") == ("refs/heads/master", deployed[1])
    story.reconcile()
    assert story.holds() == {}


def test_acts_on_what_is_not_there_are_refused_and_a_first_deployment_is_cancelled(story: Story) -> None:
    story.app.push(APP)
    for act, given, said in (
        ("rollback", {}, "staging of ann/app: nothing has run there yet"),
        ("rollback", {"to_deployment": 7}, "staging of ann/app has no deployment 7; its newest: none"),
        ("cancel", {"deployment": 7}, "has no deployment 7"),
        ("retry", {"deployment": 7}, "has no deployment 7"),
        ("release", {}, "is not held"),
    ):
        state, message = answer(story.ask(act, **given))
        assert (state, said in message) == ("refused", True), message
    story.reconcile()
    assert story.ask("cancel", deployment=1).state == "done"
    assert story.values("staging").pipelines == ()
    story.reconcile()
    assert story.values("staging").pipelines == ()
