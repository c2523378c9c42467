"""What acts of people write for a cluster, and what sync makes of it: it goes by values, as always."""

import pytest

from tests.support.stories.helm_cluster import Cluster, receipt, wait_a_moment
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow


def job_names(cluster: Cluster) -> list[str]:
    return [job["metadata"]["name"] for job in cluster.objects("jobs")]


def test_a_cancelled_job_is_stopped_and_what_ran_before_does_not_run_again(cluster: Cluster) -> None:
    first = cluster.say("one")
    with cluster.running():
        cluster.until("running")
        cluster.job_ends(receipt())
        cluster.until("succeeded")
        ran = job_names(cluster)
        wait_a_moment()  # a Job's age is in whole seconds
        cluster.say("two")
        cluster.until("running", image="two")
        assert len(job_names(cluster)) == 2
        cluster.say("one", commit=first)  # as `dppctl cancel` writes it
        eventually(lambda: (cluster.last().commit, cluster.last().phase) == (first, "succeeded"), "it is back")
        assert cluster.last().message == "3 rows; it ran already"
        assert job_names(cluster) == ran


def test_what_is_rolled_back_or_tried_again_runs_in_a_job_of_its_own(cluster: Cluster) -> None:
    first = cluster.say("one")
    with cluster.running():
        cluster.until("running")
        cluster.job_ends(receipt(rows=3))
        cluster.until("succeeded")
        wait_a_moment()
        second = cluster.say("two")
        cluster.until("running", image="two")
        cluster.job_ends(receipt("failed", error="the reason"))
        cluster.until("failed")
        for request, (image, commit) in enumerate([("two", second), ("one", first)], 1):
            wait_a_moment()
            known = job_names(cluster)
            cluster.say(image, commit=commit, request=request)  # as `dppctl retry`, and `dppctl rollback --run`
            eventually(lambda known=known: [*filter(lambda name: name not in known, job_names(cluster))], "a new Job")
            cluster.until("running", image=image)
            cluster.job_ends(receipt(rows=request))
            eventually(lambda: cluster.last().message == f"{request} rows", "it ran")  # noqa: B023
            assert cluster.last().commit == commit
