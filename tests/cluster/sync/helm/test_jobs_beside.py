"""No Job goes on unobserved: one that a failed upgrade made, or that something newer takes the place of, is stopped."""

from tests.support.stories.helm_cluster import Cluster, receipt
from tests.support.waiting import eventually


def running(cluster: Cluster) -> list[str]:
    jobs = cluster.objects("jobs")
    return [job["metadata"]["uid"] for job in jobs if not (job.get("status") or {}).get("conditions")]


def test_the_job_of_an_upgrade_that_failed_is_stopped_and_what_ran_stays(cluster: Cluster) -> None:
    cluster.say("one", people={"text": "first"})
    with cluster.running():
        cluster.until("running")
        cluster.job_ends(receipt())
        cluster.until("succeeded")
        [before] = cluster.objects("jobs")
        cluster.helm._seconds = 8
        cluster.say("two", people={"text": "second", "replicas": 1})  # which no node ever runs
        cluster.until("failed")
    assert cluster.text() == "first"
    assert "it stays as it was; its Job " in cluster.last().message
    eventually(
        lambda: [job["metadata"]["uid"] for job in cluster.objects("jobs")] == [before["metadata"]["uid"]], "gone"
    )


def test_the_job_of_a_first_install_that_failed_is_stopped(cluster: Cluster) -> None:
    cluster.helm._seconds = 8
    cluster.say("one", people={"replicas": 1})
    assert not cluster.sync.sync()
    assert "nothing of it runs yet" in cluster.last().message
    eventually(lambda: not cluster.objects("jobs"), "no Job goes on")
    assert not cluster.objects("deployments")


def test_a_job_is_stopped_when_something_newer_is_to_run(cluster: Cluster) -> None:
    cluster.say("one")
    with cluster.running():
        cluster.until("running")
        cluster.job()
        [old] = running(cluster)
        cluster.say("two")
        eventually(lambda: (now := running(cluster)) and old not in now, "the older one is stopped, the newer one runs")
        cluster.job_ends(receipt())
        cluster.until("succeeded")
    assert "superseded" in cluster.phases()


def test_a_job_that_the_newer_one_runs_too_goes_on(cluster: Cluster) -> None:
    cluster.say("one")
    with cluster.running():
        cluster.until("running")
        cluster.job()
        before = running(cluster)
        commit = cluster.say("one")
        eventually(lambda: cluster.last().commit == commit, "the newer one is at work")
        cluster.until("running")
        cluster.job_ends(receipt())
        cluster.until("succeeded")
    assert [job["metadata"]["uid"] for job in cluster.objects("jobs")] == before
