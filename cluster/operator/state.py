"""What the operator sees of its namespace: runs, pods and pools, as plain values that decisions are made from."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from cluster.limits import MAX_STATUS_MESSAGE
from cluster.operator.model import Phase, Reason, RunSpec
from cluster.sync.helm.pod_status import why_stuck

# Labels of a pool's pod. STATE and RUN are changed together, by the one patch that gives a pod to a run.
POOL, STATE, RUN, COMPONENT = "dppctl.io/pool", "dppctl.io/state", "dppctl.io/run", "app.kubernetes.io/component"
AVAILABLE, ASSIGNED = "available", "assigned"
WORKER, DATABASE = "worker", "database"  # COMPONENT of what runs pipelines, and of where they may write
UI = "adminer"  # the container with a database's web UI
MODE = "dppctl.io/mode"  # of a pool
EPHEMERAL, PERSISTENT = "ephemeral", "persistent"
ON_DEMAND = "dppctl.io/on-demand"  # of a pool that the operator made: "true"
SCHEDULES = "dppctl.io/schedules"  # and what runs on it by the clock
NOTICE = "dppctl.io/notice"  # annotation of a run: what is to be said to who follows it
MOST = "dppctl.io/most"  # annotation of a pool's Deployment: how many pods may have a run


@dataclass(frozen=True)
class RunState:
    """A PipelineRun. Times are seconds since 1970."""

    name: str
    uid: str
    created: float
    spec: RunSpec | None  # None: it cannot be read, `problem` says why
    problem: str = ""
    phase: Phase = Phase.PENDING
    reason: str = ""
    message: str = ""
    queue_position: int | None = None
    worker: str = ""  # the names of the pods that it has or had, as its status says
    database: str = ""
    rows: int = 0
    notice: str = ""  # for who follows it
    started: float | None = None  # when its worker had begun
    finished: float | None = None
    is_going: bool = False  # it is being deleted


@dataclass(frozen=True)
class PoolPod:
    """A pod of a pool: a worker or a database."""

    name: str
    uid: str
    pool: str
    state: str  # AVAILABLE or ASSIGNED
    component: str = WORKER
    run: str | None = None  # the uid of the run that has it
    is_ready: bool = False
    is_going: bool = False
    gone_by: float | None = None  # when it has to have ended, if it is going
    started: float = 0.0
    address: str = ""
    mode: str = EPHEMERAL
    end: str = ""  # why it is of no use any more, in words
    end_reason: Reason | None = None
    has_ui: bool = False  # of a database
    problem: str = ""  # why it does not begin to wait, as far as is known

    @property
    def is_usable(self) -> bool:
        """Return whether it goes on."""
        return not self.is_going and not self.end


@dataclass(frozen=True)
class Pool:
    """A Deployment of workers or of databases: how many wait, and how many may have a run beside those.

    It is never made smaller here: Kubernetes might choose a pod that is given to a run at that moment.
    """

    name: str
    waiting: int
    most: int
    mode: str = EPHEMERAL
    deployment: str = ""
    component: str = WORKER
    on_demand: bool = False  # the operator made it
    created: float = 0.0
    problem: str = ""  # why Kubernetes makes no pods of it, as for a quota
    schedules: str = ""  # JSON: what runs on it by the clock (scheduled_runs.py)


@dataclass(frozen=True)
class OperatorState:
    """All of it at one moment; `attended`: the uids of the runs that a task of this process is at."""

    runs: tuple[RunState, ...]
    pods: tuple[PoolPod, ...]
    pools: tuple[Pool, ...]
    now: float
    attended: frozenset[str] = frozenset()
    taken: frozenset[str] = frozenset()  # the uids of pods that somebody else had, when they were claimed


def read_run(found: Mapping[str, Any]) -> RunState:
    """Return a PipelineRun of the API as a value."""
    about, status = found["metadata"], found.get("status") or {}
    spec, problem = None, ""
    try:
        spec = RunSpec.model_validate(found.get("spec") or {})
    except ValidationError as error:
        first = error.errors()[0]
        problem = f"spec.{'.'.join(map(str, first['loc']))}: {first['msg']}"
    phase = status.get("phase") or Phase.PENDING
    started, finished = status.get("startedAt"), status.get("finishedAt")
    return RunState(
        name=about["name"],
        uid=about["uid"],
        created=seconds_of(about["creationTimestamp"]),
        spec=spec,
        problem=problem,
        phase=Phase(phase),  # the API server lets no other in
        reason=status.get("reason") or "",
        message=status.get("message") or "",
        queue_position=status.get("queuePosition"),
        worker=(status.get("worker") or {}).get("name", ""),
        database=(status.get("database") or {}).get("name", ""),
        rows=status.get("rows") or 0,
        notice=str((about.get("annotations") or {}).get(NOTICE, ""))[:MAX_STATUS_MESSAGE],
        started=seconds_of(started) if started else None,
        finished=seconds_of(finished) if finished else None,
        is_going="deletionTimestamp" in about,
    )


def read_pod(found: Mapping[str, Any]) -> PoolPod:
    """Return a pool's pod of the API as a value."""
    about, status = found["metadata"], found.get("status") or {}
    labels, conditions = about.get("labels") or {}, status.get("conditions") or []
    component = labels.get(COMPONENT, WORKER)
    # A database that begins anew has its files still; a worker that does has lost its run.
    containers = [each for each in status.get("containerStatuses") or [] if each["name"] == component == WORKER]
    end, reason = _end(status, containers)
    return PoolPod(
        name=about["name"],
        uid=about["uid"],
        pool=labels.get(POOL, ""),
        state=labels.get(STATE, ""),
        component=component,
        run=labels.get(RUN) or None,
        is_ready=any(each["type"] == "Ready" and each["status"] == "True" for each in conditions),
        is_going="deletionTimestamp" in about,
        gone_by=seconds_of(about["deletionTimestamp"]) if "deletionTimestamp" in about else None,
        started=seconds_of(status.get("startTime") or about["creationTimestamp"]),
        address=status.get("podIP") or "",
        mode=labels.get(MODE, EPHEMERAL),
        end=end,
        end_reason=reason,
        has_ui=any(each["name"] == UI for each in (found.get("spec") or {}).get("containers") or []),
        problem=end or why_stuck(dict(found)),
    )


def read_pool(found: Mapping[str, Any]) -> Pool:
    """Return a pool's Deployment of the API as a value."""
    about = found["metadata"]
    labels, notes = about.get("labels") or {}, about.get("annotations") or {}
    waiting = (found.get("spec") or {}).get("replicas", 1)
    conditions = (found.get("status") or {}).get("conditions") or []
    return Pool(
        name=labels.get(POOL, ""),
        waiting=waiting,
        most=int(notes.get(MOST, waiting)),
        mode=labels.get(MODE, EPHEMERAL),
        deployment=about["name"],
        component=labels.get(COMPONENT, WORKER),
        on_demand=labels.get(ON_DEMAND) == "true",
        schedules=notes.get(SCHEDULES, ""),
        created=seconds_of(about["creationTimestamp"]) if "creationTimestamp" in about else 0.0,
        problem=next((str(each.get("message")) for each in conditions if each["type"] == "ReplicaFailure"), ""),
    )


def seconds_of(text: str) -> float:
    """Return a time of Kubernetes' API as seconds since 1970."""
    return datetime.fromisoformat(text).timestamp()


def _end(status: Mapping[str, Any], containers: list[Mapping[str, Any]]) -> tuple[str, Reason | None]:
    """Return why a pod is of no use any more, in words, and as a run's reason."""
    states = [container.get(name) or {} for container in containers for name in ("lastState", "state")]
    ends = [state["terminated"] for state in states if state.get("terminated")]
    if any(end.get("reason") == "OOMKilled" for end in ends):
        return "it needed more memory than its limit", Reason.OUT_OF_MEMORY
    if status.get("phase") in ("Failed", "Succeeded"):
        said = " ".join(filter(None, (status.get("reason") or "it ended", status.get("message"))))
        return said, Reason.TIME_LIMIT if status.get("reason") == "DeadlineExceeded" else Reason.WORKER_GONE
    return (f"it ended with exit code {ends[0].get('exitCode')}", Reason.WORKER_GONE) if ends else ("", None)
