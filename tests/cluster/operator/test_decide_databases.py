"""Decisions about databases of runs: each run's own, kept for a while, never waited for by a run that has a worker."""

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cluster.operator.decide import Claim, Decision, FollowRun, RemovePod, RemoveRun, WriteStatus, decide
from cluster.operator.model import Phase, Reason, RunSpec, Stop, Workload
from cluster.operator.state import (
    ASSIGNED,
    AVAILABLE,
    DATABASE,
    PERSISTENT,
    WORKER,
    OperatorState,
    Pool,
    PoolPod,
    RunState,
)

NOW, KEEP = 1_000_000.0, 50
PLAIN = RunSpec(pipelines=("all",), workload=Workload(sha256="0" * 64, bytes=1), keep_seconds=KEEP)
WANTS = PLAIN.model_copy(update={"database": "postgres"})
POOLS = (Pool("default", 2, 10), Pool("default", 1, 5, component=DATABASE))


def run_of(number: int, **changes: Any) -> RunState:
    return replace(RunState(f"run{number}", f"r{number}", NOW + number, WANTS), **changes)


def pod_of(number: int, component: str = DATABASE, **changes: Any) -> PoolPod:
    name = f"{component[0]}{number}"
    return replace(PoolPod(name, name, "default", AVAILABLE, component, is_ready=True, started=NOW), **changes)


def decided(*seen: RunState | PoolPod, now: float = NOW + 100, pools: tuple[Pool, ...] = POOLS) -> list[Decision]:
    runs = tuple(each for each in seen if isinstance(each, RunState))
    state = OperatorState(runs, tuple(each for each in seen if isinstance(each, PoolPod)), pools, now)
    return decide(state)


def test_a_run_waits_until_both_are_free_and_one_that_wants_no_database_does_not() -> None:
    first, plain, worker, database = run_of(1), run_of(2, spec=PLAIN), pod_of(1, WORKER), pod_of(1)
    waits = WriteStatus(
        first, Phase.PENDING, Reason.QUEUED, "waits for a worker and a database of pool default", queue_position=1
    )
    assert decided(first, worker) == [waits]
    assert decided(first, database) == [waits]
    assert decided(first, plain, worker) == [waits, Claim(plain, worker)]
    assert decided(first, worker, database) == [Claim(first, worker, database)]
    assert decided(first, pod_of(1, WORKER, pool="other"), database) == [waits]
    assert decided(first, worker, pools=POOLS[:1]) == [
        WriteStatus(first, Phase.PENDING, Reason.POOL_EMPTY, "pool default has no databases", queue_position=1)
    ]


def test_what_is_half_claimed_goes_on_wherever_the_operator_was_killed() -> None:
    run, worker = run_of(1), pod_of(1, WORKER)
    own = pod_of(1, state=ASSIGNED, run="r1")
    assert decided(run, worker, own, pod_of(2)) == [Claim(run, worker)]
    assert decided(run, worker, replace(own, end="evicted"), pod_of(2)) == [Claim(run, worker, pod_of(2))]
    held = replace(worker, state=ASSIGNED, run="r1")
    assert decided(run, held, own) == [FollowRun(run, held, own)]
    gone = WriteStatus(run, Phase.FAILED, Reason.HANDOVER_FAILED, "its database is gone; run it again")
    assert decided(run, held) == decided(run, held, replace(own, is_going=True)) == [gone]
    running = run_of(1, phase=Phase.RUNNING)
    assert decided(running, held) == [FollowRun(running, held)]  # its worker says how it ends


def test_a_database_is_kept_for_its_time_and_the_run_as_long() -> None:
    run = run_of(1, phase=Phase.SUCCEEDED, finished=NOW, worker="w1", spec=WANTS.model_copy(update={
        "ttl_seconds_after_finished": 10
    }))  # fmt: skip
    own = pod_of(1, state=ASSIGNED, run="r1")
    assert decided(run, own, now=NOW + KEEP - 1) == []
    assert decided(run, own, now=NOW + KEEP) == [RemovePod(own)]
    assert decided(run, replace(own, end="evicted"), now=NOW + 1) == [RemovePod(replace(own, end="evicted"))]
    assert decided(run, replace(own, is_going=True), now=NOW + KEEP) == []
    assert decided(run, now=NOW + KEEP) == [RemoveRun(run)]
    stopped = replace(run, phase=Phase.STOPPED, worker="")  # it never had a worker: nothing is in it
    assert decided(stopped, own, now=NOW + 1) == [RemovePod(own)]
    of_nobody = replace(own, mode=PERSISTENT)  # it has rows of somebody: nobody else gets it
    assert decided(of_nobody) == [RemovePod(of_nobody)]


class World:
    """Does what is decided, or half of it; makes new pods; ends runs; lets time pass."""

    def __init__(self, wants: list[bool], waiting: dict[str, int], most: dict[str, int]) -> None:
        self.runs = {
            f"r{number}": run_of(number, spec=WANTS if wanted else PLAIN) for number, wanted in enumerate(wants)
        }
        self.pods: dict[str, PoolPod] = {}
        self.pools = {name: Pool("default", waiting[name], most[name], component=name) for name in waiting}
        self.attended: set[str] = set()
        self.handed_over: list[str] = []
        self.now, self.made = NOW + 100, 0

    def state(self) -> OperatorState:
        pools = tuple(self.pools.values())
        return OperatorState(
            tuple(self.runs.values()), tuple(self.pods.values()), pools, self.now, frozenset(self.attended)
        )

    def fill(self) -> None:
        """Do as ReplicaSets do, whose selectors want pods that are available."""
        for name, pool in self.pools.items():
            free = [pod for pod in self.pods.values() if pod.component == name and pod.state == AVAILABLE]
            for _ in range(pool.waiting - len(free)):
                self.made += 1
                made = pod_of(self.made, name)
                self.pods[made.uid] = made

    def apply(self, decision: Decision, pods: int) -> None:
        """`pods`: how many of a claim are claimed before somebody else is quicker, or the operator is killed."""
        match decision:
            case Claim(run, pod, database):
                for claimed in ([database, pod] if database else [pod])[:pods]:
                    assert self.pods[claimed.uid].state == AVAILABLE
                    self.pods[claimed.uid] = replace(claimed, state=ASSIGNED, run=run.uid)
            case FollowRun(run, pod, database):
                if run.uid not in self.attended:
                    self.attended.add(run.uid)
                    if self.runs[run.uid].phase is not Phase.RUNNING:
                        self.handed_over.append(run.uid)
                        assert (database is not None) == (run.spec == WANTS)
                    assert database is None or database.run == pod.run == run.uid
                    self.runs[run.uid] = replace(self.runs[run.uid], phase=Phase.RUNNING, worker=pod.name)
            case WriteStatus(run, phase, reason, _, place):
                finished = self.now if phase.has_ended else None
                self.runs[run.uid] = replace(
                    self.runs[run.uid], phase=phase, reason=reason or "", queue_position=place, finished=finished
                )
            case RemovePod(pod):
                del self.pods[pod.uid]
            case _:
                raise AssertionError(decision)

    def end(self, uid: str) -> None:
        self.runs[uid] = replace(self.runs[uid], phase=Phase.SUCCEEDED, finished=self.now)
        self.attended.discard(uid)

    def check(self) -> None:
        held = [(pod.component, pod.run) for pod in self.pods.values() if pod.run]
        assert len(held) == len(set(held))
        assert len(self.handed_over) == len(set(self.handed_over))
        for component, uid in held:
            if component == WORKER and self.runs[uid].spec == WANTS and not self.runs[uid].phase.has_ended:
                assert (DATABASE, uid) in held  # none holds a worker and waits
        for name, pool in self.pools.items():
            assert sum(component == name for component, _ in held) <= pool.most


@given(st.data(), st.lists(st.booleans(), min_size=1, max_size=10), *[st.integers(1, 3)] * 2, *[st.integers(0, 3)] * 2)
def test_whatever_is_half_done_each_run_has_its_own_database_and_nothing_is_left(
    data: st.DataObject, wants: list[bool], workers: int, databases: int, more: int, more_databases: int
) -> None:
    waiting = {WORKER: workers, DATABASE: databases}
    world = World(wants, waiting, {WORKER: workers + more, DATABASE: databases + more_databases})
    if data.draw(st.booleans()):  # somebody stops a run that waits
        uid = data.draw(st.sampled_from(sorted(world.runs)))
        spec = world.runs[uid].spec
        assert spec
        world.runs[uid] = replace(world.runs[uid], spec=spec.model_copy(update={"stop": Stop(requested=True)}))
    for number in range(200):
        if all(run.phase.has_ended for run in world.runs.values()):
            break
        world.fill()
        decisions, goes_wrong = decide(world.state()), number < 12
        if goes_wrong and data.draw(st.booleans()):
            decisions = decisions[: data.draw(st.integers(0, len(decisions)))]
            world.attended.clear()
        for decision in decisions:
            is_refused = goes_wrong and isinstance(decision, Claim)
            world.apply(decision, data.draw(st.integers(0, 2)) if is_refused else 2)
            world.check()
        world.now += KEEP / 5
        if running := [uid for uid, run in world.runs.items() if run.phase is Phase.RUNNING and uid in world.attended]:
            world.end(data.draw(st.sampled_from(running)))
    assert all(run.phase in (Phase.SUCCEEDED, Phase.STOPPED) for run in world.runs.values())
    for _ in range(2):
        world.now += KEEP
        for decision in decide(world.state()):
            world.apply(decision, 2)
    assert [pod for pod in world.pods.values() if pod.run] == []
