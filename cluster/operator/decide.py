"""What to do about runs, workers and pools, from what is seen of them. Pure.

The oldest run gets a worker first. Which worker a run has stands in the pod's labels alone, so that after a kill at any
moment the same decisions come again; a run's status is only told.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

from cluster.limits import MAX_WAITING_SECONDS
from cluster.operator.model import Phase, Reason
from cluster.operator.state import ASSIGNED, AVAILABLE, EPHEMERAL, OperatorState, Pool, RunState, WorkerPod


@dataclass(frozen=True)
class Claim:
    """Give the worker to the run, if nobody else has it."""

    run: RunState
    pod: WorkerPod


@dataclass(frozen=True)
class Attend:
    """Hand the workload over, or go on where it was left, and follow it to its end."""

    run: RunState
    pod: WorkerPod


@dataclass(frozen=True)
class Tell:
    """Write the status of a run."""

    run: RunState
    phase: Phase
    reason: Reason | None = None
    message: str = ""
    queue_position: int | None = None


@dataclass(frozen=True)
class RemovePod:
    """Delete a pod, and no other one of its name."""

    pod: WorkerPod


@dataclass(frozen=True)
class ReleaseWorker:
    """Have a worker that keeps running wait for the next run."""

    pod: WorkerPod


@dataclass(frozen=True)
class RemoveRun:
    """Delete a run that ended long ago."""

    run: RunState


@dataclass(frozen=True)
class Scale:
    """Have so many workers in the pool, those not counted that it gave away."""

    pool: Pool
    replicas: int


Decision = Claim | Attend | Tell | RemovePod | ReleaseWorker | RemoveRun | Scale


def decide(state: OperatorState) -> list[Decision]:
    """Return what to do now; what is decided already, and not seen yet, may be decided again."""
    holders = {pod.run: pod for pod in state.pods if pod.run and pod.state == ASSIGNED}
    uids = {run.uid for run in state.runs}
    waiting: list[RunState] = []
    decisions: list[Decision] = [
        _part(pod) for pod in state.pods if pod.run and pod.run not in uids and not pod.is_going
    ]
    for run in sorted(state.runs, key=lambda run: (run.created, run.name, run.uid)):
        holder = holders.get(run.uid)
        if run.phase.has_ended:
            decisions += _of_ended(run, holder, state)
        elif run.is_going:
            continue  # when it is gone its pod is one without a run
        elif holder is not None or run.phase is not Phase.PENDING:
            decisions += _of_assigned(run, holder, state)
        elif end := _end_of_waiting(run, state.now):
            decisions.append(end)
        else:
            waiting.append(run)
    decisions += _of_waiting(waiting, state)
    decisions += _of_pools(state)
    return decisions


def _part(pod: WorkerPod) -> Decision:
    """Return what happens to a worker whose run is over."""
    return RemovePod(pod) if pod.mode == EPHEMERAL or pod.end else ReleaseWorker(pod)


def _of_ended(run: RunState, holder: WorkerPod | None, state: OperatorState) -> Iterator[Decision]:
    if holder is not None and not holder.is_going and run.uid not in state.attended:
        yield _part(holder)
    ttl = run.spec.ttl_seconds_after_finished if run.spec else 0
    if run.finished is not None and state.now - run.finished > ttl and not run.is_going:
        yield RemoveRun(run)


def _of_assigned(run: RunState, holder: WorkerPod | None, state: OperatorState) -> Iterator[Decision]:
    if run.uid in state.attended:
        return  # its task sees sooner what happens, and tells it
    if holder is None:
        yield Tell(run, Phase.LOST, Reason.WORKER_GONE, "its worker is gone; run it again")
    elif holder.end:
        phase = Phase.FAILED if holder.end_reason is Reason.TIME_LIMIT else Phase.LOST
        yield Tell(run, phase, holder.end_reason, f"worker {holder.name}: {holder.end}")
    else:
        yield Attend(run, holder)


def _end_of_waiting(run: RunState, now: float) -> Tell | None:
    """Return why a run without a worker does not wait for one any more."""
    if run.spec is None:
        return Tell(run, Phase.FAILED, Reason.INVALID, run.problem)
    if run.spec.stop.requested:
        return Tell(run, Phase.STOPPED, Reason(run.spec.stop.reason), "it was stopped before it had a worker")
    if now - run.created > run.spec.pending_seconds:
        what = f"no worker of pool {run.spec.pool} was free for {run.spec.pending_seconds:,} seconds"
        return Tell(run, Phase.FAILED, Reason.PENDING_TIMEOUT, f"{what}; run it again later, or make the pool larger")
    return None


def _of_waiting(waiting: list[RunState], state: OperatorState) -> Iterator[Decision]:
    """Give free workers to the oldest runs, and tell the others their place in the queue of their pool.

    A worker that is given away is replaced at once, before the pool can be made smaller: so its limit is kept here.
    """
    room = {pool.name: pool.most - _assigned(pool, state) for pool in state.pools}
    free: dict[str, list[WorkerPod]] = defaultdict(list)
    for pod in sorted(state.pods, key=lambda pod: (pod.started, pod.uid)):
        if _is_free(pod) and pod.uid not in state.taken:
            free[pod.pool].append(pod)
    places: dict[str, Iterator[int]] = defaultdict(lambda: count(1))
    for run in waiting:
        pool = run.spec.pool if run.spec else ""
        if free[pool] and room.get(pool, 0) > 0:
            room[pool] -= 1
            yield Claim(run, free[pool].pop(0))
            continue
        place, is_there = next(places[pool]), pool in room
        reason = Reason.QUEUED if is_there else Reason.POOL_EMPTY
        if (run.queue_position, run.reason) != (place, reason):
            message = f"waits for a worker of pool {pool}" if is_there else f"there is no pool {pool}"
            yield Tell(run, Phase.PENDING, reason, message, queue_position=place)


def _assigned(pool: Pool, state: OperatorState) -> int:
    return sum(pod.pool == pool.name and pod.state == ASSIGNED for pod in state.pods)


def _is_free(pod: WorkerPod) -> bool:
    return pod.state == AVAILABLE and not pod.run and pod.is_ready and not pod.is_going and not pod.end


def _of_pools(state: OperatorState) -> Iterator[Decision]:
    """Keep as many workers waiting as each pool wants, within its limit; a worker that waits for a day is replaced."""
    for pool in state.pools:
        pods = [pod for pod in state.pods if pod.pool == pool.name and not pod.is_going]
        if pool.mode == EPHEMERAL:
            replicas = max(0, min(pool.waiting, pool.most - _assigned(pool, state)))
            if replicas != pool.replicas:
                yield Scale(pool, replicas)
        free = [pod for pod in pods if _is_free(pod)]
        oldest = min(free, key=lambda pod: pod.started, default=None)
        is_whole = all(pod.is_ready for pod in pods if pod.state == AVAILABLE)
        if oldest and is_whole and state.now - oldest.started > MAX_WAITING_SECONDS:
            yield RemovePod(oldest)
        yield from (RemovePod(pod) for pod in pods if pod.end and not pod.run)
