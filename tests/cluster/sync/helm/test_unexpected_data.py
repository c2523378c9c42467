"""What sync does about data that is not as expected, and about what later data is compared with."""

import json
from typing import Any, cast

import pytest

from bot.kubernetes import KubernetesClient
from bot.model.decisions import AskedBy
from cluster.sync.helm import old_jobs, records
from cluster.sync.helm.context import ChartFacts, files_for_helm, read_values_files
from cluster.sync.helm.desired import ReleaseTarget
from cluster.sync.helm.pod_status import AS_EXPECTED, NOT_KEPT
from tests.support.stories.helm_cluster import Cluster, receipt
from tests.support.world import STAGING


def ends_checked(cluster: Cluster, *lines: str, exit_code: int = 3, phase: str = "Failed") -> None:
    """End the Job's pod as the check of its data does."""
    ended: dict[str, Any] = {"exitCode": 0, "message": json.dumps(receipt(rows=3))}
    check = {"exitCode": exit_code, "message": "\n".join(lines)}
    statuses = [
        {"name": name, "state": {"terminated": state}, "image": "x", "imageID": "x", "ready": False, "restartCount": 0}
        for name, state in (("pipelines", ended), ("finish", check))
    ]
    cluster.pod_says({"phase": phase, "containerStatuses": statuses})


def test_a_deployment_whose_data_is_not_as_expected_fails_with_a_line_each_and_its_receipt(cluster: Cluster) -> None:
    cluster.say("one")
    with cluster.running():
        cluster.until("running")
        cluster.job_ends(receipt(rows=10))
        cluster.until("succeeded")
        cluster.say("two")
        cluster.until("running")
        ends_checked(cluster, "numbers: 3 rows; minRows is 4", "other: gone; columns is keep")
        cluster.until("failed")
    event = cluster.last()
    first, second, third, fourth = event.message.splitlines()
    assert first == "numbers: 3 rows; minRows is 4 (and 1 more)"
    assert second.startswith("staging: rolled back to revision 1")
    assert third == "other: gone; columns is keep"
    assert fourth == 'to take this data as it is, once: dppctl deploy ann/app staging --accept-change "WHY"'
    assert event.receipt
    assert event.receipt.rows == 3


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (("numbers: 3 rows; minRows is 4",), "3 rows; accepted by ann: it is so, though numbers: 3 rows; minRows is 4"),
        ((AS_EXPECTED,), "3 rows; the change was accepted by ann: it is so, though all was as expected"),
        ((), "3 rows"),  # the image of dppctl is older
    ],
)
def test_what_somebody_accepted_says_by_whom_and_what_was_not_as_expected(
    cluster: Cluster, lines: tuple[str, ...], said: str
) -> None:
    asked = AskedBy("deploy", "local:ann", "ann", "it is so", request=1, accepts=True)
    cluster.say("one", accept=True, asked=asked)
    with cluster.running():
        cluster.until("running")
        ends_checked(cluster, *lines, exit_code=0, phase="Succeeded")
        cluster.until("succeeded")
    assert cluster.last().message == said


def test_what_is_to_be_gone_back_to_and_is_gone_fails_in_a_line_and_is_not_offered_again(cluster: Cluster) -> None:
    commits = []
    cluster.people_say({"keeps": True})
    with cluster.running():
        for image in ("one", "two"):
            cluster.say(image)
            cluster.until("running", image=image)
            cluster.job_ends(receipt())
            cluster.until("succeeded")
            commits.append(cluster.last().ops_commit)
        assert cluster.last().kept == tuple(commits)
        asked = AskedBy("rollback", "local:ann", "ann", "", request=1, origin=commits[0], runs=False)
        cluster.say("one", request=5, asked=asked)  # another Job, as the one before is removed with a real chart
        cluster.until("running")
        begin = {"name": "begin", "state": {"terminated": {"exitCode": NOT_KEPT, "message": "gone"}}}
        begin |= {"image": "x", "imageID": "x", "ready": False, "restartCount": 0}
        cluster.pod_says({"phase": "Failed", "initContainerStatuses": [begin]})
        cluster.until("failed")
    event = cluster.last()
    first, second = event.message.splitlines()
    assert first == (
        "the data that this deployment left is not kept any more, so nothing ran; "
        "`dppctl rollback ann/app staging --run` runs it again"
    )
    assert second.startswith("staging: rolled back to revision 2")
    assert event.kept == (commits[1],)


def test_later_data_is_compared_with_that_of_the_last_deployment_that_succeeded(cluster: Cluster) -> None:
    place = cluster.sync.locations[STAGING]
    assert records.baseline(cluster.api, place) is None
    good = receipt(rows=10)
    good["pipelines"][0]["resources"] = [{"name": "numbers", "rows": 10}]
    cluster.number = 41
    cluster.say("one")
    with cluster.running():
        cluster.until("running")
        cluster.job_ends(good)
        cluster.until("succeeded")
        cluster.number = 42
        cluster.say("two")
        cluster.until("running")
        cluster.job_ends(receipt("failed", rows=1, error="no"))
        cluster.until("failed")
    known = records.baseline(cluster.api, place)
    assert known
    assert known.deployment == 41
    assert [(found.name, found.rows) for found in known.resources] == [("numbers", 10)]
    ((location, desired),) = [pair for pair in cluster.sync.known() if pair[0] == place]
    assert desired
    contents = read_values_files(cluster.context, location, desired)
    facts = ChartFacts(known, 43, restores=True)
    with files_for_helm(cluster.context, location, desired, contents, facts) as (_, files):
        given = json.loads(files[0].read_text())
    told = {"sync": True, "before": known.model_dump(mode="json"), "deployment": 43, "restores": True}
    assert given == {"global": {"dppctl": told}}


class KeptJobs:
    """Lists Jobs that succeeded, and deletes them, as the API server does."""

    def __init__(self, **first_containers: str) -> None:
        self.jobs = {
            name: {
                "metadata": {"name": name, "creationTimestamp": f"2026-01-01T00:00:0{number}Z"},
                "spec": {"template": {"spec": {"initContainers": [{"name": first}], "containers": [{"name": "x"}]}}},
                "status": {"conditions": [{"type": "Complete", "status": "True"}]},
            }
            for number, (name, first) in enumerate(first_containers.items())
        }

    def list(self, _path: str, _selector: str) -> list[dict[str, Any]]:
        return list(self.jobs.values())

    def delete(self, path: str) -> None:
        del self.jobs[path.rpartition("/")[2]]


@pytest.mark.parametrize(("first", "stays"), [("pipelines", ["two", "three"]), ("begin", ["three"])])
def test_a_job_that_makes_a_database_current_has_to_run_again_when_it_is_gone_back_to(
    first: str, stays: list[str]
) -> None:
    api = KeptJobs(one="pipelines", two=first, three=first)
    place = ReleaseTarget(STAGING, "ns", "app")
    old_jobs.remove_old_jobs(cast(KubernetesClient, api), place, "three")
    assert list(api.jobs) == stays


def test_what_can_be_gone_back_to_is_what_the_database_has(cluster: Cluster) -> None:
    commits = []
    cluster.people_say({"keeps": True})
    with cluster.running():
        for image, rows in (("one", 1), ("two", 2), ("three", 0), ("one", 1)):
            cluster.say(image)
            cluster.until("running", image=image)
            cluster.job_ends(receipt(rows=rows) if rows else receipt("failed", error="no"))
            cluster.until("succeeded" if rows else "failed")
            commits.append(cluster.last().ops_commit)
    one, two, three, again = commits
    ends = {event.ops_commit: event.kept for event in cluster.events if event.phase in ("succeeded", "failed")}
    assert ends == {one: (one,), two: (one, two), three: (one, two), again: (two, again)}
