"""What a Job and its pod say of themselves, in words for people. Pure: plain objects of Kubernetes' API in.

https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/
"""

from collections.abc import Iterator
from typing import Any

Object = dict[str, Any]

CONTAINER = "pipelines"
# A container that waits for one of these does not start by waiting longer, unless somebody does something.
_BROKEN = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "ErrImageNeverPull",
        "InvalidImageName",
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
    }
)


def end_of(job: Object) -> tuple[bool, str] | None:
    """Return whether a Job succeeded, and what Kubernetes says of it. None: it has not ended."""
    for condition in (job.get("status") or {}).get("conditions") or []:
        if condition["type"] in ("Complete", "Failed") and condition["status"] == "True":
            reason, message = condition.get("reason") or "", condition.get("message") or ""
            if reason == "DeadlineExceeded":
                limit = job["spec"].get("activeDeadlineSeconds")
                message = f"it took longer than activeDeadlineSeconds ({limit}) and was ended"
            return condition["type"] == "Complete", message or reason
    return None


def newest(pods: list[Object]) -> Object | None:
    """Return the pod that tries now, or tried last."""
    return max(
        pods, key=lambda pod: (str(pod["metadata"]["creationTimestamp"]), str(pod["metadata"]["name"])), default=None
    )


def state_of(pod: Object, container: str = CONTAINER) -> Object:
    """Return `waiting`, `running` or `terminated`, as Kubernetes says it of the container; empty before it does."""
    for status in _statuses(pod):
        if status["name"] == container:
            return dict(status.get("state") or {})
    return {}


def broken(pod: Object) -> str:
    """Return why a container of it cannot start; empty when it can, as far as is known."""
    for status in _statuses(pod):
        waiting = (status.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") in _BROKEN:
            said = waiting.get("message") or ""
            return f"container {status['name']}: {waiting['reason']}: {said}".rstrip(": ")
    return ""


def waits_for(pod: Object) -> str:
    """Return why it has no node yet; empty when it has one."""
    for condition in (pod.get("status") or {}).get("conditions") or []:
        if condition["type"] == "PodScheduled" and condition["status"] != "True":
            return f"waiting for a node: {condition.get('message') or condition.get('reason') or 'none yet'}"
    return ""


def why_failed(pod: Object) -> str:
    """Return which container ended badly, and how; empty when none did."""
    status = pod.get("status") or {}
    for container in _statuses(pod):
        state, last = container.get("state") or {}, container.get("lastState") or {}
        ended = state.get("terminated") or last.get("terminated") or {}
        if ended.get("exitCode", 0) == 0:
            continue
        if ended.get("reason") == "OOMKilled":
            limit = _memory(pod, container["name"])
            return f"container {container['name']} needed more memory than {limit} and was killed (OOMKilled)"
        said = (ended.get("message") or "").strip()
        # The worker's summary, which is reported elsewhere; or the last of the log, when it wrote none.
        words = "" if said.startswith("{") else said
        ending = f"container {container['name']} ended with exit code {ended['exitCode']}"
        return f"{ending}: {words}" if words else ending
    reason, message = status.get("reason"), status.get("message")
    return f"{reason}: {message}".strip(": ") if status.get("phase") == "Failed" and (reason or message) else ""


def _statuses(pod: Object) -> Iterator[Object]:
    status = pod.get("status") or {}
    yield from status.get("initContainerStatuses") or []
    yield from status.get("containerStatuses") or []


def _memory(pod: Object, container: str) -> str:
    spec = pod.get("spec") or {}
    for found in [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]:
        limit = ((found.get("resources") or {}).get("limits") or {}).get("memory")
        if found["name"] == container and limit:
            return f"its limit of {limit}"
    return "there is"
