"""What pods and Jobs say, in words for people."""

from typing import Any

import pytest

from cluster.sync.helm.pod_status import broken, end_of, newest, waits_for, why_failed, why_stuck

ONE = "container pipelines"


def pod(state: dict[str, Any], name: str = "pipelines", init: bool = False, **status: Any) -> dict[str, Any]:
    limits = {"resources": {"limits": {"memory": "512Mi"}}}
    kind = "initContainerStatuses" if init else "containerStatuses"
    spec = {"containers": [{"name": "pipelines", **limits}]}
    return {"metadata": {"name": "p"}, "spec": spec, "status": {kind: [{"name": name, "state": state}], **status}}


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (
            {"exitCode": 137, "reason": "OOMKilled"},
            f"{ONE} needed more memory than its limit of 512Mi and was killed (OOMKilled)",
        ),
        ({"exitCode": 1, "message": "no python3 here\n"}, f"{ONE} ended with exit code 1: no python3 here"),
        ({"exitCode": 1, "message": '{"status": "failed"}'}, f"{ONE} ended with exit code 1"),
        ({"exitCode": 0}, ""),
    ],
)
def test_why_a_pod_failed(state: dict[str, Any], said: str) -> None:
    assert why_failed(pod({"terminated": state})) == said


def test_a_pod_that_the_node_threw_out() -> None:
    evicted = {"metadata": {"name": "p"}, "status": {"phase": "Failed", "reason": "Evicted", "message": "disk is full"}}
    assert why_failed(evicted) == "the node ended the pod: Evicted: disk is full"


def test_what_the_node_did_comes_before_how_the_containers_ended() -> None:
    killed = {"terminated": {"exitCode": 137, "reason": "Error"}}
    said = "Pod ephemeral local storage usage exceeds the total limit of containers 20Mi."
    assert (
        why_failed(pod(killed, phase="Failed", reason="Evicted", message=said))
        == f"the node ended the pod: Evicted: {said}"
    )
    drained = {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI", "message": "drained"}
    assert why_failed(pod(killed, conditions=[drained])) == (
        "the pod was ended from outside: EvictionByEvictionAPI: drained"
    )


def test_a_database_that_ends_again_and_again_says_why() -> None:
    words = """PostgreSQL Database directory appears to contain a database; Skipping initialization
2026-11-26 03:00:00.000 UTC [1] FATAL:  database files are incompatible with server
2026-11-26 03:00:00.000 UTC [1] DETAIL:  The data directory was initialized by PostgreSQL version 15, which is not compatible with this version 17.6 (Debian 17.6-1.pgdg12+1)."""  # noqa: E501
    crashed = pod({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}}, "postgresql")
    crashed["status"]["containerStatuses"][0]["lastState"] = {"terminated": {"exitCode": 1, "message": words}}
    said = why_stuck(crashed)
    assert "the database's files are of PostgreSQL 15, and database.image is 17, which cannot read them" in said
    assert "set database.image to 15 again, or move what is in it" in said
    crashed["status"]["containerStatuses"][0]["lastState"] = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
    assert why_stuck(crashed) == "container postgresql needed more memory than there is and was killed (OOMKilled)"
    assert why_stuck(pod({"running": {}}, "postgresql")) == ""
    assert why_stuck(pod({"waiting": {"reason": "ContainerCreating"}})) == ""


def test_an_init_container_that_failed_is_named() -> None:
    ended = pod({"terminated": {"exitCode": 1, "message": "this image has no dpp"}}, "workload", init=True)
    assert why_failed(ended) == "container workload ended with exit code 1: this image has no dpp"


def test_what_keeps_a_pod_from_starting() -> None:
    waiting = {"waiting": {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "x"'}}
    assert broken(pod(waiting)) == 'container pipelines: ImagePullBackOff: Back-off pulling image "x"'
    assert broken(pod({"waiting": {"reason": "ContainerCreating"}})) == ""
    unscheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes: cpu"}
    assert waits_for(pod({}, conditions=[unscheduled])) == "waiting for a node: 0/1 nodes: cpu"
    assert waits_for({}) == ""


def test_how_a_job_ended() -> None:
    def job(kind: str, **more: str) -> dict[str, Any]:
        condition = {"type": kind, "status": "True", **more}
        return {"spec": {"activeDeadlineSeconds": 60}, "status": {"conditions": [condition]}}

    assert end_of({"spec": {}, "status": {}}) is None
    assert end_of(job("Suspended")) is None
    assert end_of(job("Complete")) == (True, "")
    assert end_of(job("Failed", message="backoff limit")) == (False, "backoff limit")
    late = "it took longer than activeDeadlineSeconds (60) and was ended"
    assert end_of(job("Failed", reason="DeadlineExceeded", message="x")) == (False, late)


def test_the_newest_pod() -> None:
    made = [{"metadata": {"name": name, "creationTimestamp": f"2026-01-01T00:00:0{name}Z"}} for name in "132"]
    found = newest(made)
    assert found
    assert found["metadata"]["name"] == "3"
    assert newest([]) is None
