"""What nobody foresaw: the deployment says it and ends, and sync goes on."""

import pytest

from cluster.sync.helm.helm import HelmAwayError
from cluster.sync.helm.release_changes import Changes
from cluster.sync.helm.sync import HelmSync
from tests.support.stories.helm_cluster import Cluster
from tests.support.waiting import eventually


def broken(*_: object) -> None:
    raise KeyError("nobody knows")


def test_a_deployment_that_breaks_fails_with_the_reason_and_the_next_one_is_made(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.say(pipelines=())
    with cluster.running():
        with monkeypatch.context() as patch:
            patch.setattr(Changes, "upgrade", broken)
            cluster.until("failed")
        assert cluster.phases() == ["started", "failed"]
        assert cluster.last().message.splitlines() == [
            "dppctl itself failed: KeyError('nobody knows'); its log has more",
            "nothing was undone: look at what runs there, then deploy again",
        ]
        cluster.say("two", pipelines=())
        cluster.until("succeeded")
    assert cluster.phases() == ["started", "failed", "started", "succeeded"]


def test_a_check_that_breaks_leaves_the_environment_as_it_is(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster.start(drift_seconds=0.0)
    monkeypatch.setattr("cluster.sync.helm.drift_check.find_drift", broken)
    cluster.say(pipelines=())
    with cluster.running() as sync:
        cluster.until("succeeded")
        eventually(lambda: sync.counts.errors, "a check breaks")
    assert cluster.phase() == "succeeded"
    assert cluster.phases() == ["started", "succeeded"]


def test_what_may_pass_is_told_once_on_the_deployment(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise HelmAwayError("helm is away")

    monkeypatch.setattr("cluster.sync.helm.sync.SYNC_RETRY_SECONDS", 0.1)
    monkeypatch.setattr("cluster.sync.helm.sync.MAX_SYNC_RETRY_SECONDS", 0.1)
    cluster.start()
    cluster.say(pipelines=())
    with cluster.running() as sync:
        with monkeypatch.context() as patch:
            patch.setattr(Changes, "upgrade", away)
            eventually(lambda: sync.counts.done["deploy"] > 1, "it is tried again")
        cluster.until("succeeded")
    waits = [event.message for event in cluster.events if event.phase == "queued"]
    assert waits == ["waits, and is tried again: helm is away"]


def test_a_pass_that_breaks_is_followed_by_another(cluster: Cluster) -> None:
    cluster.say(pipelines=())
    broke: list[str] = []

    def break_once(*_: object, **__: object) -> None:
        broke.append("once")
        patch.undo()
        broken()

    patch = pytest.MonkeyPatch()
    patch.setattr("cluster.sync.helm.sync.observe", break_once)
    with cluster.running():
        cluster.until("succeeded")
    assert broke


def test_a_single_pass_that_breaks_has_not_gone_well(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HelmSync, "read", broken)
    assert not cluster.sync.sync()
