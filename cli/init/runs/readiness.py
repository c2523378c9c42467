"""Whether operator, proxy and workers run; and if not, what their pods say of it."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from bot.kubernetes import KubernetesClient, Object
from cli.errors import InputError
from cli.init.runs.answers import RELEASE
from cli.limits import INIT_BROKEN_SECONDS, INIT_NODE_SECONDS, INIT_POLL_SECONDS
from cluster.sync.helm.pod_status import broken, is_deleted, name_of, newest, waits_for, why_stuck

_NAMES = {"worker": "Worker pod", "database": "DB pod"}
_INSTANCE = f"app.kubernetes.io/instance={RELEASE}"


@dataclass(frozen=True)
class Readiness:
    """What is not ready, and why, in words; and the pods of the pool that are, by name."""

    missing: tuple[str, ...]  # names of Deployments
    problem: str = ""
    advice: str = ""  # what to do about it
    needs_node: bool = False  # it is that a pod fits on no node
    pods: tuple[tuple[str, str], ...] = ()  # what they are, and their names


def readiness_of(deployments: list[Object], pods: list[Object]) -> Readiness:
    """Return what of the release is ready. Pure."""
    missing = tuple(sorted(name_of(found) for found in deployments if not _is_ready(found)))
    alive = [pod for pod in pods if not is_deleted(pod)]
    ready = sorted((_NAMES[_component(pod)], name_of(pod)) for pod in alive if _component(pod) in _NAMES and _runs(pod))
    if not missing:
        return Readiness((), pods=tuple(ready))
    if refused := next(filter(None, map(_refused, deployments)), ""):
        return Readiness(missing, refused, "ask for fewer (--workers), or for another quota", pods=tuple(ready))
    stuck = newest([pod for pod in alive if not _runs(pod) and (why_stuck(pod) or waits_for(pod))])
    if stuck is None:
        return Readiness(missing, pods=tuple(ready))
    needs_node = not why_stuck(stuck) and not _lacks_volume(stuck)
    problem = f"pod {name_of(stuck)}: {why_stuck(stuck) or waits_for(stuck)}"
    return Readiness(missing, problem, _advice(stuck), needs_node, tuple(ready))


def wait_until_ready(
    client: KubernetesClient, namespace: str, seconds: float, say: Callable[[str], None], *, grows: bool = False
) -> None:
    """Wait for all of it, and name the pods. Raises InputError with a pod's own reason, and KubernetesError.

    `grows`: the cluster gets nodes as pods need them, which takes minutes.
    """
    end, since, before = time.monotonic() + seconds, time.monotonic(), ""
    while True:
        found = readiness_of(
            client.list(f"/apis/apps/v1/namespaces/{namespace}/deployments", _INSTANCE),
            client.list(f"/api/v1/namespaces/{namespace}/pods", _INSTANCE),
        )
        if not found.missing:
            for what, name in found.pods:
                say(f"{what}: {name}")
            return
        now = time.monotonic()
        if found.problem != before:
            before, since = found.problem, now
            if before:
                say(f"  waiting  {before}")
        patience = INIT_NODE_SECONDS if grows and found.needs_node else INIT_BROKEN_SECONDS
        if now > end or (before and now - since > patience):
            what = before or f"no more is known than that {', '.join(found.missing)} did not become ready"
            advice = found.advice or f"see kubectl get events --namespace {namespace}"
            raise InputError(f"not ready: {what}; {advice}; then run the same command again, it goes on from here")
        time.sleep(INIT_POLL_SECONDS)


def _advice(pod: Object) -> str:
    """Return what a person does about a pod that does not run."""
    if _lacks_volume(pod):
        return (
            "this cluster makes no volume for it: name a class that does (storageClassName), or do without one "
            "(persistence.enabled: false), in a file for --values; kubectl get storageclasses shows them"
        )
    if not why_stuck(pod):
        return "ask for fewer (--workers, --databases), or give the cluster more or larger nodes"
    if not (said := broken(pod)):
        namespace = pod["metadata"].get("namespace", "")
        return f"its log: kubectl logs --namespace {namespace} {name_of(pod)} --all-containers --previous"
    if "mage" in said:  # ErrImagePull, ImagePullBackOff, InvalidImageName
        which = "--worker-image" if _component(pod) == "worker" else "--image"
        return f"name an image that the cluster can pull ({which}; imagePullSecrets by --values)"
    return "mend that"


def _lacks_volume(pod: Object) -> bool:
    """Return whether it waits for a volume that nobody makes; with a class that makes them late it does not say so.

    https://github.com/kubernetes/kubernetes/blob/v1.33.0/pkg/scheduler/framework/plugins/volumebinding/volume_binding.go
    """
    return "unbound immediate PersistentVolumeClaims" in waits_for(pod)


def _is_ready(deployment: Object) -> bool:
    """Return whether all that is wanted of it runs.

    https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#deployment-status
    """
    status, wanted = deployment.get("status") or {}, deployment["spec"].get("replicas", 1)
    seen = status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
    return bool(seen and status.get("updatedReplicas", 0) >= wanted and status.get("readyReplicas", 0) >= wanted)


def _refused(deployment: Object) -> str:
    """Return why Kubernetes makes no pods of it, as for a quota; empty when it does."""
    for condition in (deployment.get("status") or {}).get("conditions") or []:
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
            return f"{name_of(deployment)}: {condition.get('message') or condition.get('reason')}"
    return ""


def _component(pod: Object) -> str:
    return str((pod["metadata"].get("labels") or {}).get("app.kubernetes.io/component", ""))


def _runs(pod: Object) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)
