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
