"""What a Job and its pod say of themselves, in words for people. Pure: plain objects of Kubernetes' API in.

https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/
"""

import re
from collections.abc import Iterator
from typing import Any

Object = dict[str, Any]

CONTAINER = "pipelines"
BEGIN = "begin"  # the container with which a run gets its turn at the chart's database
FINISH = "finish"  # the container that checks what they made, and makes it current
UNEXPECTED = 3  # its exit code when the data is not as expected; its message has the lines
AS_EXPECTED = "all is as expected"  # its message where somebody takes the data, and nothing had to be taken
NOT_KEPT = 4  # the exit code of `begin` when what is to be gone back to is not there any more
DELETED = "it was deleted, as when its node is drained"
# https://github.com/postgres/postgres/blob/master/src/backend/utils/init/miscinit.c, ValidatePgVersion
_OTHER_POSTGRES = re.compile(
    r"initialized by PostgreSQL version ([\d.]+),? which is not compatible with this version (\d+)"
)
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


def name_of(pod: Object) -> str:
    """Return a pod's name."""
    return str(pod["metadata"]["name"])


def is_deleted(pod: Object) -> bool:
    """Return whether a pod is being deleted."""
    return "deletionTimestamp" in pod["metadata"]


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


def why_stuck(pod: Object) -> str:
    """Return why a pod that is to run for good does not: an image, or a container that ends again and again."""
    if found := broken(pod):
        return found
    running = [container for container in _statuses(pod) if "running" in (container.get("state") or {})]
    return "" if running else why_failed(pod)


def waits_for(pod: Object) -> str:
    """Return why it has no node yet; empty when it has one."""
    for condition in (pod.get("status") or {}).get("conditions") or []:
        if condition["type"] == "PodScheduled" and condition["status"] != "True":
            return f"waiting for a node: {condition.get('message') or condition.get('reason') or 'none yet'}"
    return ""


def ended_from_outside(pod: Object) -> str:
    """Return what ended a pod that its own programs did not: its node, or want of memory; empty: nothing did.

    The condition is there since Kubernetes 1.26:
    https://kubernetes.io/docs/concepts/workloads/pods/disruptions/#pod-disruption-conditions
    """
    status = pod.get("status") or {}
    reason, message = status.get("reason"), status.get("message")
    if status.get("phase") == "Failed" and (reason or message):
        return "the node ended the pod: " + f"{reason or ''}: {message or ''}".strip(": ")
    for condition in status.get("conditions") or []:
        if condition["type"] == "DisruptionTarget" and condition["status"] == "True":
            words = f"{condition.get('reason')}: {condition.get('message') or ''}".rstrip(": ")
            return f"the pod was ended from outside: {words}"
    for container in _statuses(pod):
        if _ended(container).get("reason") == "OOMKilled":
            limit = _memory(pod, container["name"])
            return f"container {container['name']} needed more memory than {limit} and was killed (OOMKilled)"
    return ""


def why_failed(pod: Object) -> str:
    """Return which container ended badly, and how; empty when none did."""
    if found := ended_from_outside(pod):
        return found
    for container in _statuses(pod):
        ended = _ended(container)
        if ended.get("exitCode", 0) == 0:
            continue
        said = (ended.get("message") or "").strip()
        # The worker's summary, which is reported elsewhere; or the last of the log, when it wrote none.
        words = "" if said.startswith("{") else _explained(said)
        ending = f"container {container['name']} ended with exit code {ended['exitCode']}"
        return f"{ending}: {words}" if words else ending
    return ""


def unexpected(pod: Object) -> str:
    """Return what of the data is not as expected, a line each; empty: nothing, or that was not checked."""
    ended = state_of(pod, FINISH).get("terminated") or {}
    return str(ended.get("message") or "").strip() if ended.get("exitCode") == UNEXPECTED else ""


def taken(pod: Object) -> list[str]:
    """Return what of data that somebody took is not as expected, a line each; AS_EXPECTED: nothing; empty: unknown."""
    ended = state_of(pod, FINISH).get("terminated") or {}
    return str(ended.get("message") or "").strip().splitlines() if ended.get("exitCode") == 0 else []


def is_not_kept(pod: Object) -> bool:
    """Return whether what was to be gone back to was not there any more, so that nothing ran."""
    return (state_of(pod, BEGIN).get("terminated") or {}).get("exitCode") == NOT_KEPT


def _explained(words: str) -> str:
    """Return the last of a container's log, or in its place what PostgreSQL means by it."""
    if found := _OTHER_POSTGRES.search(words):
        return (
            f"the database's files are of PostgreSQL {found[1]}, and database.image is {found[2]}, which cannot read "
            f"them and changed nothing: set database.image to {found[1]} again, or move what is in it "
            "(chart/README.md, Another PostgreSQL)"
        )
    return words


def _ended(container: Object) -> Object:
    """Return how a container ended, or ended last when it was started again; empty: it has not."""
    state, last = container.get("state") or {}, container.get("lastState") or {}
    return dict(state.get("terminated") or last.get("terminated") or {})


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
