"""Which pools the operator makes for runs that name an image, and removes when they were idle. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from cluster.limits import POOL_BROKEN_SECONDS
from cluster.operator.decide import WriteStatus
from cluster.operator.model import Phase, Reason
from cluster.operator.state import WORKER, OperatorState, Pool, RunState


@dataclass(frozen=True)
class PoolPolicy:
    """What is allowed."""

    most: int = 0  # pools at a time; none: no run may name an image
    images: tuple[str, ...] = ()  # how an image has to begin; none: no image is allowed
    idle_seconds: float = 1800.0


@dataclass(frozen=True)
class PoolWork:
    """What helm is at, and what it could not do, by the names of pools."""

    changing: frozenset[str] = frozenset()
    failed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class DeployPool:
    """Make a pool of workers of an image."""

    name: str
    image: str


@dataclass(frozen=True)
class RemovePool:
    """Remove a pool that was made so, and its workers with it."""

    name: str


PoolDecision = DeployPool | RemovePool | WriteStatus


def decide_pools(
    state: OperatorState,
    policy: PoolPolicy = PoolPolicy(),
    work: PoolWork = PoolWork(),
) -> list[PoolDecision]:
    """Return what to do now; the oldest run's pool is made first."""
    made = {pool.name: pool for pool in state.pools if pool.on_demand}
    waiting = sorted(filter(_waits, state.runs), key=lambda run: (run.created, run.name, run.uid))
    used = {run.spec.pool for run in state.runs if run.spec and not run.phase.has_ended}
    broken = {name: problem for name, pool in made.items() if (problem := _problem(pool, state))}
    decisions: list[PoolDecision] = [RemovePool(name) for name in sorted({*broken} - work.changing)]
    room = policy.most - len({*made} | work.changing)
    asked: set[str] = set()
    for run in waiting:
        assert run.spec is not None  # noqa: S101 (_waits)
        name, image = run.spec.pool, run.spec.image
        if refusal := _refusal(image, policy) or work.failed.get(name) or broken.get(name):
            decisions.append(WriteStatus(run, Phase.FAILED, Reason.POOL_FAILED, refusal))
        elif name not in {pool.name for pool in state.pools} | work.changing | asked:
            asked.add(name)
            if room > 0:
                room -= 1
                decisions.append(DeployPool(name, image))
    removed = {decision.name for decision in decisions if isinstance(decision, RemovePool)}
    idle = [pool for name, pool in made.items() if name not in used | work.changing | removed]
    decisions += _of_idle(idle, state, policy, len(asked) - sum(isinstance(each, DeployPool) for each in decisions))
    return decisions


def _of_idle(idle: list[Pool], state: OperatorState, policy: PoolPolicy, missing: int) -> Iterator[RemovePool]:
    """Remove pools that nobody used for long, and as many more as runs miss, the one that is idle longest first."""
    for number, pool in enumerate(sorted(idle, key=lambda pool: (_last_used(pool, state), pool.name))):
        if number < missing or state.now - _last_used(pool, state) > policy.idle_seconds:
            yield RemovePool(pool.name)


def _waits(run: RunState) -> bool:
    is_asked = bool(run.spec and run.spec.image and not run.spec.stop.requested)
    return is_asked and run.phase is Phase.PENDING and not run.is_going


def _refusal(image: str, policy: PoolPolicy) -> str:
    """Return why runs may not have this image here; empty when they may."""
    if policy.most < 1:
        return "this cluster makes no pools for images; leave out the image, or name a pool that is there"
    if not image.startswith(policy.images):
        allowed = ", ".join(policy.images) or "none"
        return f"image {image[:200]} is not allowed on this cluster; what an image may begin with: {allowed}"
    return ""


def _problem(pool: Pool, state: OperatorState) -> str:
    """Return why a pool's workers do not begin to wait; empty when one does, or it is not known yet."""
    pods = [pod for pod in state.pods if (pod.component, pod.pool) == (WORKER, pool.name) and not pod.is_going]
    if not pods and pool.problem and state.now - pool.created > POOL_BROKEN_SECONDS:
        return f"no worker of its image is made: {pool.problem}"
    if any(pod.run or pod.is_ready for pod in pods):
        return ""
    stuck = [pod for pod in pods if pod.problem and state.now - pod.started > POOL_BROKEN_SECONDS]
    return f"no worker starts from its image: {stuck[0].problem}" if stuck else ""


def _last_used(pool: Pool, state: OperatorState) -> float:
    ends = (run.finished for run in state.runs if run.spec and run.spec.pool == pool.name)
    return max([pool.created, *(end for end in ends if end is not None)])
