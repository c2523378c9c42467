"""What to do about runs, pods and pools, from what is seen of them. Pure.

The oldest run gets a worker first, and a database if it wants one. A run takes its database before its worker, and none
that has a worker waits for a database: so no two runs wait for each other. Which pods a run has stands in the pods'
labels alone, so that after a kill at any moment the same decisions come again; a run's status is only told.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

from cluster.limits import MAX_STATUS_MESSAGE, MAX_WAITING_SECONDS, NEAR_PLACES, NODE_LOST_SECONDS
from cluster.operator.model import Phase, Reason
from cluster.operator.state import (
    ASSIGNED,
    AVAILABLE,
    DATABASE,
    EPHEMERAL,
    WORKER,
    OperatorState,
    Pool,
    PoolPod,
    RunState,
)


@dataclass(frozen=True)
class Claim:
    """Give the database to the run, and then the worker, if nobody else has them."""

    run: RunState
    pod: PoolPod
    database: PoolPod | None = None  # None: it wants none, or has it


@dataclass(frozen=True)
class FollowRun:
    """Hand the workload over, or go on where it was left, and follow it to its end."""

    run: RunState
    pod: PoolPod
    database: PoolPod | None = None


@dataclass(frozen=True)
class WriteStatus:
    """Write the status of a run."""

    run: RunState
    phase: Phase
    reason: Reason | None = None
    message: str = ""
    queue_position: int | None = None


@dataclass(frozen=True)
class RemovePod:
    """Delete a pod, and no other one of its name."""

    pod: PoolPod


@dataclass(frozen=True)
class ReleaseWorker:
    """Have a worker that keeps running wait for the next run."""

    pod: PoolPod


@dataclass(frozen=True)
class RemoveRun:
    """Delete a run that ended long ago."""

    run: RunState


Decision = Claim | FollowRun | WriteStatus | RemovePod | ReleaseWorker | RemoveRun


def decide(state: OperatorState) -> list[Decision]:
    """Return what to do now; what is decided already, and not seen yet, may be decided again."""
    workers, databases = _by_run(WORKER, state), _by_run(DATABASE, state)
    uids = {run.uid for run in state.runs}
    waiting: list[tuple[RunState, bool]] = []  # and whether it has all of it but a worker
    decisions: list[Decision] = [
        _part(pod) for pod in state.pods if pod.run and pod.run not in uids and not pod.is_going
    ]
    for run in sorted(state.runs, key=lambda run: (run.created, run.name, run.uid)):
        worker, database = workers.get(run.uid), databases.get(run.uid)
        if run.phase.has_ended:
            decisions += _of_ended(run, worker, database, state)
        elif run.is_going:
            continue  # when it is gone its pods are without a run
        elif worker is not None or run.phase is not Phase.PENDING:
            decisions += _of_assigned(run, worker, database, state)
        elif end := _end_of_waiting(run, state.now):
            decisions.append(end)
        else:
            waiting.append((run, not _wants_database(run) or (database is not None and database.is_usable)))
    decisions += _of_waiting(waiting, state)
    decisions += _of_pools(state)
    return decisions


def _by_run(component: str, state: OperatorState) -> dict[str, PoolPod]:
    """Return which pod each run has, by the run's uid; of several the one that goes on."""
    pods = [pod for pod in state.pods if pod.component == component and pod.state == ASSIGNED]
    return {pod.run: pod for pod in sorted(pods, key=lambda pod: pod.is_usable) if pod.run}


def _wants_database(run: RunState) -> bool:
    return run.spec is not None and run.spec.database != "none"


def _part(pod: PoolPod) -> Decision:
    """Return what happens to a pod whose run is over."""
    is_done = pod.mode == EPHEMERAL or pod.end or pod.component == DATABASE  # which has the run's rows
    return RemovePod(pod) if is_done else ReleaseWorker(pod)


def _of_ended(
    run: RunState, worker: PoolPod | None, database: PoolPod | None, state: OperatorState
) -> Iterator[Decision]:
    if worker is not None and not worker.is_going and run.uid not in state.attended:
        yield _part(worker)
    keep = run.spec.keep_seconds if run.spec and run.worker else 0  # without a worker nothing was written
    if database is not None:
        if not database.is_going and (database.end or state.now >= (run.finished or 0) + keep):
            yield RemovePod(database)
        return  # it is the run's own, and would go with it
    ttl = run.spec.ttl_seconds_after_finished if run.spec else 0
    if run.finished is not None and state.now - run.finished > ttl and not run.is_going:
        yield RemoveRun(run)


def _of_assigned(
    run: RunState, worker: PoolPod | None, database: PoolPod | None, state: OperatorState
) -> Iterator[Decision]:
    if worker is not None and worker.gone_by is not None and state.now > worker.gone_by + NODE_LOST_SECONDS:
        # After five minutes without its node Kubernetes deletes a pod, and waits for the node to say that it is gone.
        yield WriteStatus(
            run, Phase.LOST, Reason.WORKER_GONE, f"worker {worker.name}: its node does not answer; run it again"
        )
    elif run.uid in state.attended:
        return  # its task sees sooner what happens, and tells it
    elif worker is None:
        yield WriteStatus(run, Phase.LOST, Reason.WORKER_GONE, "its worker is gone; run it again")
    elif worker.end:
        phase = Phase.FAILED if worker.end_reason is Reason.TIME_LIMIT else Phase.LOST
        yield WriteStatus(run, phase, worker.end_reason, f"worker {worker.name}: {worker.end}")
    elif _wants_database(run) and run.phase is not Phase.RUNNING and not (database and database.is_usable):
        yield WriteStatus(run, Phase.FAILED, Reason.HANDOVER_FAILED, "its database is gone; run it again")
    else:
        yield FollowRun(run, worker, database)


def _end_of_waiting(run: RunState, now: float) -> WriteStatus | None:
    """Return why a run without a worker does not wait for one any more."""
    if run.spec is None:
        return WriteStatus(run, Phase.FAILED, Reason.INVALID, run.problem)
    if run.spec.stop.requested:
        why = run.spec.stop.message or "it was stopped before it had a worker"
        return WriteStatus(run, Phase.STOPPED, Reason(run.spec.stop.reason), why[:MAX_STATUS_MESSAGE])
    if now - run.created > run.spec.pending_seconds:
        what = f"no {_wanted(run)} of pool {run.spec.pool} was free for {run.spec.pending_seconds:,} seconds"
        return WriteStatus(
            run, Phase.FAILED, Reason.PENDING_TIMEOUT, f"{what}; run it again later, or make the pool larger"
        )
    return None


def _wanted(run: RunState, joined: str = " and no ") -> str:
    """Return in words what a run waits for."""
    return f"worker{joined}database" if _wants_database(run) else "worker"


def _of_waiting(waiting: list[tuple[RunState, bool]], state: OperatorState) -> Iterator[Decision]:
    """Give free pods to the oldest runs, and tell the others their place in the queue of their pool."""
    free: dict[tuple[str, str], list[PoolPod]] = defaultdict(list)
    for pod in sorted(state.pods, key=lambda pod: (pod.started, pod.uid)):
        if _is_free(pod) and pod.uid not in state.taken:
            free[pod.component, pod.pool].append(pod)
    pools = {(pool.component, pool.name): pool.most - _assigned(pool, state) for pool in state.pools}
    given = {key: pods[: max(0, pools.get(key, 0))] for key, pods in free.items()}
    places: dict[str, Iterator[int]] = defaultdict(lambda: count(1))
    for run, is_complete in waiting:
        pool = run.spec.pool if run.spec else ""
        workers, databases = given.get((WORKER, pool)), given.get((DATABASE, pool))
        if workers and (is_complete or databases):
            yield Claim(run, workers.pop(0), databases.pop(0) if databases and not is_complete else None)
            continue
        place, missing = next(places[pool]), None
        if (WORKER, pool) not in pools:
            missing = f"there is no pool {pool}"
        elif not is_complete and (DATABASE, pool) not in pools:
            missing = f"pool {pool} has no databases"
        reason = Reason.POOL_EMPTY if missing else Reason.QUEUED
        if run.reason != reason or _is_news(place, run.queue_position):
            message = missing or f"waits for a {_wanted(run, ' and a ')} of pool {pool}"
            yield WriteStatus(run, Phase.PENDING, reason, message, queue_position=place)


def _is_news(place: int, told: int | None) -> bool:
    """Return whether a place in the queue is worth a call: the first ones are, and a far one when it is half as far."""
    is_near = place <= NEAR_PLACES and place != told
    return told is None or is_near or place > told or 2 * place <= told


def _assigned(pool: Pool, state: OperatorState) -> int:
    return sum(_is_of(pool, pod) and pod.state == ASSIGNED for pod in state.pods)


def _is_of(pool: Pool, pod: PoolPod) -> bool:
    return (pod.component, pod.pool) == (pool.component, pool.name)


def _is_free(pod: PoolPod) -> bool:
    return pod.state == AVAILABLE and not pod.run and pod.is_ready and pod.is_usable


def _of_pools(state: OperatorState) -> Iterator[Decision]:
    """Replace a pod that waits for a day, one at a time, and those that ended."""
    for pool in state.pools:
        pods = [pod for pod in state.pods if _is_of(pool, pod) and not pod.is_going]
        free = [pod for pod in pods if _is_free(pod)]
        oldest = min(free, key=lambda pod: pod.started, default=None)
        is_whole = all(pod.is_ready for pod in pods if pod.state == AVAILABLE)
        if oldest and is_whole and state.now - oldest.started > MAX_WAITING_SECONDS:
            yield RemovePod(oldest)
        yield from (RemovePod(pod) for pod in pods if pod.end and not pod.run)
