"""A Job that is not there any more says nothing of how it ended: it is not taken for one that failed."""

from contextlib import closing
from pathlib import Path

import pytest

from cluster.sync.helm import records
from cluster.sync.helm.releases import manifest
from tests.support.stories.helm_cluster import Cluster, receipt
from tests.support.stories.small_chart import CHART
from tests.support.waiting import eventually
from tests.support.world import STAGING


def job_path(cluster: Cluster) -> str:
    meta = cluster.objects("jobs")[-1]["metadata"]
    return f"/apis/batch/v1/namespaces/{meta['namespace']}/jobs/{meta['name']}"


def record_of(cluster: Cluster) -> tuple[str, int, int]:
    record = (cluster.kept() or pytest.fail("there is no record")).record
    return record.phase, record.revision, record.good


def test_a_job_gets_its_ttl_when_its_end_was_seen(cluster: Cluster) -> None:
    cluster.say("one", people={"ttl": 1})
    with cluster.running():
        cluster.until("running")
        eventually(lambda: "ttlSecondsAfterFinished" not in cluster.job()["spec"], "it has no TTL while it runs")
        cluster.job_ends(receipt(rows=7))
        cluster.until("succeeded")
        eventually(lambda: cluster.objects("jobs") == [], "then it is removed")
    assert (cluster.phases(), cluster.last().message) == (["started", "succeeded"], "7 rows")
    assert record_of(cluster) == ("succeeded", 1, 1)


@pytest.mark.needs("helm")
def test_an_older_copy_of_the_chart_gets_no_ttl_before_the_end_was_seen(tmp_path: Path, kubeconfig: str) -> None:
    older = {name: text.replace(".Values.ttl ", ".Values.ttlSecondsAfterFinished ") for name, text in CHART.items()}
    older["chart/Chart.yaml"] = "apiVersion: v2\nname: small\nversion: 0.1.0\n"
    with closing(Cluster(tmp_path, kubeconfig, chart=older)) as cluster:
        cluster.say("one", people={"ttlSecondsAfterFinished": 1})
        with cluster.running():
            cluster.until("running")
            place = cluster.sync.locations[STAGING]
            assert "ttlSecondsAfterFinished" not in manifest(cluster.api, place.namespace, place.release, 1)
            cluster.job_ends(receipt(rows=7))
            cluster.until("succeeded")
            eventually(lambda: cluster.objects("jobs") == [], "then it is removed")
        assert cluster.last().message == "7 rows"


def test_a_ttl_that_is_added_to_what_succeeded_comes_in(cluster: Cluster) -> None:
    cluster.say("one")
    with cluster.running():
        cluster.until("running")
        cluster.job_ends(receipt(rows=7))
        cluster.until("succeeded")
        for number, values in enumerate(({"ttlLater": 60}, {"ttlLater": 1, "text": "new"}), 2):
            cluster.people_say(values)
            eventually(lambda number=number: record_of(cluster) == ("succeeded", number, number), "it is deployed")
        eventually(lambda: cluster.objects("jobs") == [], "the Job is removed")
    assert "failed" not in cluster.phases()
    assert cluster.last().message.startswith("7 rows; it ran already")


def test_a_job_that_was_removed_is_no_failure_of_what_succeeded_before(cluster: Cluster) -> None:
    cluster.say("one")
    with cluster.running():
        cluster.until("running")
        cluster.job_ends(receipt(rows=7))
        cluster.until("succeeded")
    path, before = job_path(cluster), cluster.kept()
    assert before
    cluster.api.delete(path)
    # As when sync was killed while it went on with the same Job.
    records.write(cluster.api, cluster.sync.locations[STAGING], before.record.with_("running", reported=False))
    assert cluster.start().sync()
    assert cluster.last().phase == "succeeded"
    assert cluster.last().message == "it ran already, and its Job was removed"
    assert cluster.last().receipt
    assert cluster.release().revision == 1


def test_the_receipt_of_a_job_that_is_gone_is_the_one_that_its_pod_left(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.say("one")
    with cluster.running():
        cluster.until("running")
        # Its controller is slower than whoever deletes it: the pod has ended, the Job has not, then both are gone.
        seen = []

        def end_of(_: object) -> None:
            seen.append(1)

        cluster.job()
        monkeypatch.setattr("cluster.sync.helm.pod_status.end_of", end_of)
        cluster.job_ends(receipt(rows=9))
        eventually(lambda: cluster.objects("pods")[0]["status"]["phase"] == "Succeeded", "the pod has ended")
        seen.clear()
        eventually(lambda: len(seen) > 1, "sync has seen it")
        cluster.api.delete(job_path(cluster))
        cluster.until("succeeded")
    assert cluster.last().message == "9 rows"
    assert cluster.last().receipt


def test_a_job_that_somebody_deleted_is_told_and_nothing_is_rolled_back_for_it(cluster: Cluster) -> None:
    cluster.say("one", people={"text": "first"})
    with cluster.running():
        cluster.until("running")
        cluster.job_ends(receipt())
        cluster.until("succeeded")
        cluster.people_say({"text": "second"})
        cluster.say("two")
        cluster.until("running", image="two")
        meta = cluster.job()["metadata"]
        cluster.api.delete(f"/apis/batch/v1/namespaces/{meta['namespace']}/jobs/{meta['name']}")
        cluster.until("failed")
    assert cluster.text() == "second"
    assert "its end was not seen" in cluster.last().message
    assert "nothing was rolled back" in cluster.last().message
