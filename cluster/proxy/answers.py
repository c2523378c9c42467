"""Runs, pods and pools as the API shows them, from Kubernetes' objects. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from bot.kubernetes import Object
from cluster.operator.model import Phase
from cluster.operator.pool_names import pool_of_image
from cluster.operator.state import ASSIGNED, AVAILABLE, WORKER, Pool, read_pod
from cluster.runs_api import PodInfo, PodName, PoolInfo, RunInfo


def run_info(found: Object) -> RunInfo:
    """Return a PipelineRun as the API shows it."""
    about, spec, status = found["metadata"], found.get("spec") or {}, found.get("status") or {}
    return RunInfo(
        name=about["name"],
        uid=about["uid"],
        user=user_of(found),
        phase=Phase(status.get("phase") or Phase.PENDING),
        reason=status.get("reason"),
        message=status.get("message"),
        pipelines=tuple(spec.get("pipelines") or ()),
        pool=pool_of_image(spec["image"]) if spec.get("image") else spec.get("pool") or "default",
        worker=_named(status.get("worker")),
        database=_named(status.get("database")),
        rows=status.get("rows"),
        published_bytes=status.get("publishedBytes"),
        created=about["creationTimestamp"],
        assigned=status.get("assignedAt"),
        started=status.get("startedAt"),
        finished=status.get("finishedAt"),
        database_until=(status.get("database") or {}).get("expiresAt"),
        reservation=spec.get("reservation"),
        workload_bytes=(spec.get("workload") or {}).get("bytes", 0),
        timeout_seconds=spec.get("timeoutSeconds"),
        stopping=bool((spec.get("stop") or {}).get("requested")),
    )


def user_of(found: Object) -> str:
    """Return whose run it is; "" for one that did not come through a proxy."""
    return str((found.get("spec") or {}).get("user") or "")


def pod_infos(pods: Iterable[Object], names: Mapping[str, str]) -> tuple[PodInfo, ...]:
    """Return pods as the API shows them, without those that are being deleted.

    `names`: of the runs that the reader may know of, by uid.
    """
    return tuple(_pod_info(found, names) for found in pods if "deletionTimestamp" not in found["metadata"])


def pool_infos(pools: Sequence[Pool], pods: Iterable[Object]) -> tuple[PoolInfo, ...]:
    """Return pools as the API shows them, each with how many of its workers wait."""
    seen = [pod for pod in map(read_pod, pods) if pod.component == WORKER and not pod.is_going]
    free = [pod for pod in seen if _state(pod.state, pod.is_ready) == AVAILABLE]
    return tuple(
        PoolInfo(name=pool.name, mode=pool.mode, waiting=sum(pod.pool == pool.name for pod in free)) for pool in pools
    )


def _pod_info(found: Object, names: Mapping[str, str]) -> PodInfo:
    pod, about = read_pod(found), found["metadata"]
    return PodInfo(
        name=pod.name,
        kind="worker" if pod.component == WORKER else "database",
        pool=pod.pool,
        state=_state(pod.state, pod.is_ready),
        run=names.get(pod.run or ""),
        since=(found.get("status") or {}).get("startTime") or about["creationTimestamp"],
    )


def _state(label: str, is_ready: bool) -> Literal["starting", "available", "assigned"]:
    if label == ASSIGNED:
        return "assigned"
    return "available" if is_ready else "starting"


def _named(reference: Mapping[str, Any] | None) -> PodName | None:
    name = (reference or {}).get("name")
    return PodName(name=name) if name else None
