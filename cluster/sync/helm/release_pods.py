"""The pods of a release while helm waits for them: why they do not run, and those that would be waited for for ever.

The Job's pods are followed by themselves (`job_run.py`); helm does not wait for them.
"""

from collections.abc import Iterator

from bot.kubernetes import KubernetesClient, Object
from bot.logs import get_logger
from cluster.sync.helm import pod_status

_log = get_logger("dppctl.sync")


def broken_pods(api: KubernetesClient, namespace: str, release: str) -> list[str]:
    """Return why pods of a release do not run, each with its name. Raises ApiError and ApiAwayError."""
    pods = api.list(f"/api/v1/namespaces/{namespace}/pods", f"app.kubernetes.io/instance={release}")
    of_helm = [pod for pod in pods if _owner(pod) in ("StatefulSet", "ReplicaSet")]
    return [f"pod {pod_status.name_of(pod)}: {why}" for pod in of_helm if (why := pod_status.why_stuck(pod))]


def replace_stuck_pods(api: KubernetesClient, namespace: str, release: str) -> None:
    """Delete the pods of earlier revisions that a StatefulSet waits for and that cannot become ready.

    With OrderedReady, which cannot be changed, Kubernetes itself never replaces them:
    https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#forced-rollback
    Raises ApiError and ApiAwayError.
    """
    for pod in _stuck_pods(api, namespace, release):
        name = pod_status.name_of(pod)
        api.delete(f"/api/v1/namespaces/{namespace}/pods/{name}")
        _log.warning("stuck in an earlier revision, replaced", pod=name, namespace=namespace)


def _stuck_pods(api: KubernetesClient, namespace: str, release: str) -> Iterator[Object]:
    path = f"/apis/apps/v1/namespaces/{namespace}/statefulsets"
    for stateful_set in api.list(path, f"app.kubernetes.io/instance={release}"):
        spec, status = stateful_set["spec"], stateful_set.get("status") or {}
        is_seen = status.get("observedGeneration") == stateful_set["metadata"].get("generation")
        if spec.get("podManagementPolicy") != "OrderedReady" or not is_seen or not status.get("updateRevision"):
            continue
        labels = [f"{name}={value}" for name, value in spec["selector"].get("matchLabels", {}).items()]
        older = ",".join([*labels, f"controller-revision-hash,controller-revision-hash!={status['updateRevision']}"])
        for pod in api.list(f"/api/v1/namespaces/{namespace}/pods", older):
            if pod_status.why_stuck(pod) and not pod_status.is_deleted(pod):
                yield pod


def _owner(pod: Object) -> str:
    """Return the kind of what made a pod; empty: a person, or helm itself."""
    owners = pod["metadata"].get("ownerReferences") or [{}]
    return str(owners[0].get("kind", ""))
