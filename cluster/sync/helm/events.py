"""Why no pods come: what controllers say in events when a quota, a LimitRange or a webhook refuses their pods.

A pod that was refused does not exist, so neither helm nor a look at the pods tells the reason.
https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

from bot.kubernetes import KubernetesClient, KubernetesError, Object
from cluster.limits import EVENTS_SECONDS
from cluster.sync.helm.helm import HelmError
from cluster.sync.helm.release_pods import broken_pods, replace_stuck_pods


def refused_pods(api: KubernetesClient, namespace: str, prefix: str, since: datetime) -> list[str]:
    """Return why pods of the objects whose names begin so were refused since then, each reason once, the newest last.

    Raises ApiError and ApiAwayError.
    """
    path = f"/api/v1/namespaces/{namespace}/events"
    found: dict[str, datetime] = {}
    for event in api.list(path, fields="type=Warning,reason=FailedCreate"):
        about = event.get("involvedObject") or {}
        name = str(about.get("name", ""))
        time = _last_time(event)
        if name.startswith(prefix) and time >= since.replace(microsecond=0):
            reason = str(event.get("message", "")).partition("is forbidden: ")
            text = f"{about.get('kind')} {name}: its pod is refused: {reason[2] or reason[0]}"
            found[text] = max(time, found.get(text, time))
    return sorted(found, key=lambda text: found[text])


def lost_node(api: KubernetesClient, namespace: str, pod: Object) -> str:
    """Return that a pod's node does not answer, as the controllers say of the pod; empty: they do not say so.

    Raises ApiError and ApiAwayError. https://kubernetes.io/docs/concepts/architecture/nodes/#node-controller
    """
    fields = f"involvedObject.name={pod['metadata']['name']},reason=NodeNotReady"
    found = api.list(f"/api/v1/namespaces/{namespace}/events", fields=fields)
    if not found:
        return ""
    node = (pod.get("spec") or {}).get("nodeName") or "its node"
    return (
        f"node {node} does not answer ({found[-1].get('message')}); it is waited for: the pipelines go on when it is "
        "back, or run elsewhere when Kubernetes gives the pod up"
    )


@contextmanager
def told_while(
    api: KubernetesClient, namespace: str, release: str, since: datetime, tell: Callable[[str], None]
) -> Iterator[None]:
    """Tell, while the block runs helm, why pods of a release are refused or do not run; helm's error begins with that.

    Pods that would never be replaced are.
    """
    ended = threading.Event()
    reasons: list[str] = []

    def watch() -> None:
        while not ended.wait(EVENTS_SECONDS):
            found: list[str] = []
            # What fails is asked again; without the right, the wait is as long as helm's.
            with suppress(KubernetesError):
                found += refused_pods(api, namespace, f"{release}-", since)
            with suppress(KubernetesError):
                found += broken_pods(api, namespace, release)
                replace_stuck_pods(api, namespace, release)
            new = [text for text in found if text not in reasons]
            reasons.extend(new)
            if new and not ended.is_set():
                tell("; ".join(new))

    thread = threading.Thread(target=watch, name=f"events of {release}", daemon=True)
    thread.start()
    try:
        yield
    except HelmError as error:
        raise type(error)("\n".join([*reasons, str(error)])) from None
    finally:
        ended.set()
        thread.join()


def _last_time(event: Object) -> datetime:
    series = event.get("series") or {}
    meta = event.get("metadata") or {}
    text = event.get("lastTimestamp") or series.get("lastObservedTime") or event.get("eventTime")
    text = text or meta.get("creationTimestamp")
    return datetime.fromisoformat(str(text)) if text else datetime.now(UTC)
