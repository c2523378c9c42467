"""What nobody foresaw, in the bot: its reason is where people look, and the loop goes on."""

import pytest

from bot.reconcile.ops_repo import OpsRepo
from bot.store.requests import Requests
from tests.support.forge import APP
from tests.support.receiver import PUSHED
from tests.support.stories.bot import Story, running
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow


def broken(*_: object) -> None:
    raise KeyError("nobody knows")


def test_a_deployment_by_hand_that_breaks_says_so_and_the_next_one_is_done(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    story.app.push(APP)
    with running(story.loop):
        eventually(story.deployments, "the start deploys")
        with monkeypatch.context() as patch:
            patch.setattr("bot.reconcile.manual_writes.observe_manual", broken)
            first = story.store.requests.add("ann/app", "staging", ref="master", by="local:ann")
            request = eventually(
                lambda: (found := story.store.requests.get(first)) and found.state != "waiting" and found, "it ends"
            )
            assert request
            assert request.state == "failed"
            assert request.message == "dppctl itself failed: KeyError('nobody knows'); its log has more"
        second = story.store.requests.add("ann/app", "staging", ref="master", by="local:ann")
        eventually(lambda: (found := story.store.requests.get(second)) and found.state == "done", "the next is done")


def test_an_ops_repo_whose_writing_breaks_is_tried_again(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = story.app.push(APP)
    with running(story.loop), monkeypatch.context() as patch:
        patch.setattr(OpsRepo, "write", broken)
        story.store.deliveries.record("1", PUSHED)
        eventually(lambda: story.store.deliveries.newest()[0].state == "failed", "the delivery fails")
        assert "ann/ops: dppctl itself failed: KeyError" in (story.store.deliveries.newest()[0].reason or "")
        patch.undo()
        eventually(lambda: story.store.deliveries.newest()[0].state == "processed", "it is tried again")
    assert story.runs("staging") == ("refs/heads/master", commit)


def test_a_round_that_breaks_is_followed_by_another(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.loop.RETRY_BROKEN_SECONDS", 0.1)
    story.app.push(APP)
    with running(story.loop), monkeypatch.context() as patch:
        eventually(story.deployments, "the start deploys")
        rounds = story.loop.rounds
        patch.setattr(Requests, "take", broken)
        eventually(lambda: story.loop.rounds > rounds + 2, "it goes on")
        patch.undo()
        story.app.push({"file": "new"})
        story.store.deliveries.record("1", PUSHED)
        eventually(lambda: len(story.deployments()) == 2, "the next round deploys")


def test_what_breaks_while_an_image_is_looked_for_refuses_that_commit(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    story.app.push(APP)
    with monkeypatch.context() as patch:
        patch.setattr("bot.reconcile.images.ImageResolver.resolve", broken)
        story.reconcile()
    assert story.deployments() == [("staging", "refused")]
    assert story.last().error == "dppctl itself failed: KeyError('nobody knows'); its log has more"
    commit = story.app.push({"file": "new"})
    story.reconcile()
    assert story.runs("staging") == ("refs/heads/master", commit)
