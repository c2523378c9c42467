"""What is said of pods that do not get ready, and what a person does about it."""

import pytest

from bot.kubernetes import Object
from cli.init.runs.readiness import readiness_of

MISSING = {"metadata": {"name": "dppctl-runs-workers-default", "generation": 1}, "spec": {"replicas": 1}, "status": {}}


def pod(component: str = "worker", **status: object) -> Object:
    labels = {"app.kubernetes.io/component": component}
    metadata = {"name": "pod-1", "namespace": "dppctl", "labels": labels, "creationTimestamp": "2026-01-01T00:00:00Z"}
    return {"metadata": metadata, "spec": {}, "status": status}


def container(**state: object) -> list[Object]:
    return [{"name": "worker", "restartCount": 3, "state": {"waiting": {"reason": "CrashLoopBackOff"}}, **state}]


NO_IMAGE = container(state={"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling"}})
CRASHED = container(lastState={"terminated": {"exitCode": 2, "message": "dppctl: no key"}})
NO_VOLUME = [{"type": "PodScheduled", "status": "False", "message": "pod has unbound immediate PersistentVolumeClaims"}]
NO_NODE = [{"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available: 1 Insufficient memory."}]


@pytest.mark.parametrize(
    ("found", "problem", "advice"),
    [
        (
            pod(containerStatuses=NO_IMAGE),
            "ImagePullBackOff: Back-off pulling",
            "pull (--worker-image; imagePullSecrets",
        ),
        (
            pod("proxy", containerStatuses=NO_IMAGE),
            "ImagePullBackOff",
            "can pull (--image; imagePullSecrets by --values",
        ),
        (
            pod("operator", containerStatuses=CRASHED),
            "pod pod-1: container worker ended with exit code 2: dppctl: no key",
            "its log: kubectl logs --namespace dppctl pod-1 --all-containers --previous",
        ),
        (
            pod(conditions=NO_NODE),
            "waiting for a node: 0/1 nodes are available: 1 Insufficient memory.",
            "ask for fewer",
        ),
        (
            pod("operator", conditions=NO_VOLUME),
            "pod has unbound immediate PersistentVolumeClaims",
            "name a class that does (storageClassName), or do without one (persistence.enabled: false)",
        ),
    ],
)
def test_a_pods_own_reason_is_said_with_what_to_do(found: Object, problem: str, advice: str) -> None:
    readiness = readiness_of([MISSING], [found])
    assert problem in readiness.problem
    assert advice in readiness.advice
    assert readiness.needs_node == ("waiting for a node" in problem), "more nodes make no volume"


def test_what_kubernetes_refuses_to_make_is_said() -> None:
    refused = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: pods"}
    readiness = readiness_of([{**MISSING, "status": {"conditions": [refused]}}], [])
    assert readiness.problem == "dppctl-runs-workers-default: exceeded quota: pods"
    assert readiness.advice.startswith("ask for fewer (--workers)")
