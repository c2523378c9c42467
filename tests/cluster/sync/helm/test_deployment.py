"""Deployments in a real API server, by real helm."""

from typing import Any

import pytest

from tests.support.stories.helm_cluster import Cluster, receipt, wait_a_moment
from tests.support.waiting import eventually
from tests.support.world import PRODUCTION, STAGING


def test_what_the_bot_commits_is_deployed_and_its_receipt_reported(cluster: Cluster) -> None:
    commit = cluster.say("one", people={"text": "by people"})
    with cluster.running():
        cluster.until("running")
        assert cluster.text() == "by people"
        cluster.job_ends(receipt(rows=7))
        cluster.until("succeeded")
    assert cluster.phases() == ["started", "succeeded"]
    event = cluster.last()
    assert (event.commit, event.message) == (commit, "7 rows")
    assert event.receipt
    assert event.receipt.image == "one"
    assert event.schedules == ()  # the chart here has none
    assert event.receipt.source
    assert event.receipt.source.commit == commit


def test_unchanged_environments_cost_no_helm(cluster: Cluster) -> None:
    cluster.say(pipelines=())
    assert cluster.sync.sync()
    runs = cluster.helm.runs
    assert cluster.start().sync()
    assert cluster.helm.runs == runs
    assert cluster.phases() == ["started", "succeeded"]


def test_a_release_costs_few_calls_beside_helms(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, str]] = []
    request = cluster.api._request

    def counted(method: str, path: str, *others: Any) -> Any:
        calls.append((method, path))
        return request(method, path, *others)

    monkeypatch.setattr(cluster.api, "_request", counted)
    cluster.say(pipelines=())
    cluster.sync.sync()
    place = cluster.sync.locations[STAGING]
    record = f"/api/v1/namespaces/{place.namespace}/configmaps/dppctl-{place.release}"
    passes = [call for call in calls if call[0] == "GET"]
    # Two passes, two lists in each namespace; and once what was deployed, for what runs by the clock.
    assert len(passes) == 2 * 2 * len(cluster.namespaces) + 1
    written = [call for call in calls if call not in passes]
    # Deploying (there is no record yet to be patched), deployed, reported.
    made = ("POST", record.rpartition("/")[0])
    assert written == [("PATCH", record), made, ("PATCH", record), ("PATCH", record)]


def test_another_commit_with_the_same_image_does_not_run_again(cluster: Cluster) -> None:
    cluster.say("one")
    with cluster.running():
        cluster.until("running")
        cluster.job_ends(receipt())
        cluster.until("succeeded")
        eventually(lambda: len(cluster.objects("jobs")[0]["status"].get("conditions", [])) == 1, "the Job ended")
        wait_a_moment()  # a Job's age is in whole seconds
        commit = cluster.say("one")
        eventually(lambda: cluster.last().commit == commit and cluster.last().phase == "succeeded", "it is deployed")
    assert cluster.last().message == "3 rows; it ran already"
    assert len(cluster.objects("jobs")) == 1


def test_a_failed_job_is_rolled_back_and_not_tried_again(cluster: Cluster) -> None:
    cluster.say("one", people={"text": "first"})
    with cluster.running():
        cluster.until("running")
        cluster.job_ends(receipt())
        cluster.until("succeeded")
        cluster.say("two", people={"text": "second"})
        cluster.until("running", image="two")
        eventually(lambda: cluster.text() == "second", "the second is there")
        cluster.job_ends(receipt("failed", error="rows.py:2: ValueError: the reason\nflow:\nTraceback"))
        cluster.until("failed")
        assert cluster.text() == "first", cluster.last().message
        revision = cluster.release().revision
        wait_a_moment()
        assert cluster.release().revision == revision
    assert cluster.last().phase == "failed"
    lines = cluster.last().message.splitlines()
    assert lines[0] == "./one failed: rows.py:2: ValueError: the reason"
    assert lines[1].startswith("staging: rolled back to revision ")
    assert cluster.last().receipt


def test_the_first_release_stays_when_its_job_fails(cluster: Cluster) -> None:
    cluster.say("one")
    with cluster.running():
        cluster.until("running")
        cluster.job_ends(None, exitCode=137, reason="OOMKilled")
        cluster.until("failed")
    assert cluster.release().revision == 1
    assert cluster.last().message.splitlines() == [
        "container pipelines needed more memory than there is and was killed (OOMKilled)",
        "staging: it is the first release, so it stays as it is",
    ]


def test_a_broken_environment_is_told_with_helms_words_and_holds_up_no_other(cluster: Cluster) -> None:
    cluster.say("one", pipelines=(), people={"replicas": "many"})
    cluster.say("one", pipelines=(), target=PRODUCTION)
    assert not cluster.sync.sync()
    assert cluster.phases(PRODUCTION) == ["started", "succeeded"]
    assert cluster.phases(STAGING) == ["started", "failed"]
    assert "replicas" in cluster.last(STAGING).message
    runs = cluster.helm.runs
    cluster.start().sync()
    assert cluster.helm.runs == runs
    cluster.people_say({"replicas": 0})
    assert cluster.start().sync()
    assert cluster.phases(STAGING)[-1] == "succeeded"


def test_a_failed_upgrade_leaves_what_was_there(cluster: Cluster) -> None:
    cluster.say(pipelines=(), people={"text": "good"})
    cluster.sync.sync()
    cluster.people_say({"text": "bad", "replicas": "many"})
    cluster.sync.sync()
    assert cluster.phases()[-1] == "failed"
    assert "it stays as it was" in cluster.last().message
    assert cluster.text() == "good"


def test_a_slow_job_does_not_hold_up_another_environment(cluster: Cluster) -> None:
    cluster.say("one")
    cluster.say("one", target=PRODUCTION)
    with cluster.running():
        cluster.until("running")
        cluster.until("running", PRODUCTION)
        cluster.job_ends(receipt(), PRODUCTION)
        cluster.until("succeeded", PRODUCTION)
        assert cluster.phase() == "running"


def test_something_newer_supersedes_a_job_that_is_waited_for(cluster: Cluster) -> None:
    cluster.say("one")
    with cluster.running():
        cluster.until("running")
        cluster.job()
        commit = cluster.say("two")
        eventually(lambda: cluster.last().commit == commit, "the newer one is at work")
    assert cluster.phases()[:2] == ["started", "superseded"]


def test_a_namespace_that_is_not_there_is_told_once_and_holds_up_no_other(cluster: Cluster) -> None:
    cluster.namespaces["staging"] = "nowhere"
    cluster.start()
    cluster.say(pipelines=())
    cluster.say(pipelines=(), target=PRODUCTION)
    assert not cluster.sync.sync()
    cluster.sync.sync()
    assert cluster.phases(PRODUCTION) == ["started", "succeeded"]
    assert cluster.phases() == ["failed"]
    assert cluster.last().message == "namespace nowhere is not there; create it, with sync's Role (docs/sync.md)"
