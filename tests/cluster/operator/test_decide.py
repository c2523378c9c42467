"""Decisions about runs and workers, in a world that does what is decided, sometimes late, and sometimes dies."""

from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.limits import MAX_WAITING_SECONDS, NODE_LOST_SECONDS
from cluster.operator.decide import (
    Claim,
    Decision,
    FollowRun,
    ReleaseWorker,
    RemovePod,
    RemoveRun,
    WriteStatus,
    decide,
)
from cluster.operator.model import Phase, Reason, RunSpec, Stop, Workload
from cluster.operator.state import ASSIGNED, AVAILABLE, PERSISTENT, OperatorState, Pool, PoolPod, RunState

SPEC = RunSpec(pipelines=("all",), workload=Workload(sha256="0" * 64, bytes=1))
NOW = 1_000_000.0


def run_of(number: int, **changes: object) -> RunState:
    return replace(RunState(f"run{number}", f"r{number}", NOW + number, SPEC), **changes)


def pod_of(number: int, **changes: object) -> PoolPod:
    pod = PoolPod(f"pod{number}", f"p{number}", "default", AVAILABLE, is_ready=True, started=NOW + number)
    return replace(pod, **changes)


def decided(
    runs: Iterable[RunState] = (), pods: Iterable[PoolPod] = (), now: float = NOW + 100, **others: object
) -> list[Decision]:
    state = OperatorState(tuple(runs), tuple(pods), (Pool("default", 3, 10),), now)
    return decide(replace(state, **others))


def test_the_oldest_runs_get_the_workers_and_the_others_know_their_place() -> None:
    runs = [run_of(number) for number in range(4)]
    pods = [pod_of(8), pod_of(9), pod_of(7, is_ready=False), pod_of(6, is_going=True), pod_of(5, end="it ended")]
    assert decided(reversed(runs), pods) == [
        Claim(runs[0], pods[0]),
        Claim(runs[1], pods[1]),
        WriteStatus(runs[2], Phase.PENDING, Reason.QUEUED, "waits for a worker of pool default", queue_position=1),
        WriteStatus(runs[3], Phase.PENDING, Reason.QUEUED, "waits for a worker of pool default", queue_position=2),
        RemovePod(pods[4]),
    ]


def test_who_knows_its_place_is_told_nothing_and_pools_have_queues_of_their_own() -> None:
    other = SPEC.model_copy(update={"pool": "large"})
    runs = [run_of(1, queue_position=1, reason="Queued"), run_of(2, spec=other)]
    assert decided(runs) == [
        WriteStatus(runs[1], Phase.PENDING, Reason.POOL_EMPTY, "there is no pool large", queue_position=1)
    ]
    pods, pools = [pod_of(1, pool="large")], (Pool("large", 1, 2),)
    assert decided(runs[1:], pods, pools=pools) == [Claim(runs[1], pods[0])]
    busy = [*pods, *(pod_of(number, pool="large", state=ASSIGNED, run="r1") for number in (2, 3))]
    assert Claim not in map(type, decided(runs, busy, pools=pools))


def test_a_worker_that_somebody_else_had_is_left_alone() -> None:
    assert decided([run_of(1)], [pod_of(1), pod_of(2)], taken=frozenset({"p1"})) == [Claim(run_of(1), pod_of(2))]


@pytest.mark.parametrize("phase", [Phase.PENDING, Phase.ASSIGNED, Phase.RUNNING])
def test_what_has_a_worker_is_attended_once_wherever_the_operator_was_killed(phase: Phase) -> None:
    run, pod = run_of(1, phase=phase), pod_of(1, state=ASSIGNED, run="r1")
    assert decided([run], [pod]) == [FollowRun(run, pod)]
    assert decided([run], [pod], attended=frozenset({"r1"})) == []


@pytest.mark.parametrize("phase", [Phase.ASSIGNED, Phase.RUNNING])
def test_a_run_whose_worker_is_gone_is_lost_and_not_run_again(phase: Phase) -> None:
    run = run_of(1, phase=phase)
    assert decided([run], [pod_of(2)]) == [
        WriteStatus(run, Phase.LOST, Reason.WORKER_GONE, "its worker is gone; run it again")
    ]
    ended = pod_of(
        1, state=ASSIGNED, run="r1", end="it needed more memory than its limit", end_reason=Reason.OUT_OF_MEMORY
    )
    [told] = decided([run], [ended])
    assert isinstance(told, WriteStatus)
    assert (told.phase, told.reason) == (Phase.LOST, Reason.OUT_OF_MEMORY)
    assert told.message == "worker pod1: it needed more memory than its limit"


def test_a_run_whose_node_does_not_answer_is_lost_though_its_pod_is_there() -> None:
    run = run_of(1, phase=Phase.RUNNING)
    going = pod_of(1, state=ASSIGNED, run="r1", is_going=True, gone_by=NOW)
    attended = frozenset({"r1"})
    assert decided([run], [going], now=NOW + NODE_LOST_SECONDS, attended=attended) == []
    [told] = decided([run], [going], now=NOW + NODE_LOST_SECONDS + 1, attended=attended)
    assert told == WriteStatus(
        run, Phase.LOST, Reason.WORKER_GONE, "worker pod1: its node does not answer; run it again"
    )  # fmt: skip
    assert decided([replace(run, phase=Phase.LOST, finished=NOW)], [going]) == []


def test_what_waits_too_long_is_stopped_or_cannot_be_read_ends() -> None:
    stopped = SPEC.model_copy(update={"stop": Stop(requested=True, by="ann")})
    runs = [run_of(1), run_of(2, spec=stopped), run_of(3, spec=None, problem="spec.pipelines: Field required")]
    found = decided(runs, now=NOW + 1 + 3601)
    assert [(each.phase, each.reason) for each in found if isinstance(each, WriteStatus)] == [
        (Phase.FAILED, Reason.PENDING_TIMEOUT),
        (Phase.STOPPED, Reason.USER_STOP),
        (Phase.FAILED, Reason.INVALID),
    ]


def test_the_worker_of_a_run_that_ended_goes_and_one_that_keeps_running_waits_again() -> None:
    run = run_of(1, phase=Phase.SUCCEEDED, finished=NOW + 90)
    once, kept = pod_of(1, state=ASSIGNED, run="r1"), pod_of(1, state=ASSIGNED, run="r1", mode=PERSISTENT)
    assert decided([run], [once]) == [RemovePod(once)]
    assert decided([run], [kept]) == [ReleaseWorker(kept)]
    assert decided([run], [replace(kept, end="it ended")]) == [RemovePod(replace(kept, end="it ended"))]
    assert decided([run], [once], attended=frozenset({"r1"})) == []  # its last events are being read
    assert decided([], [once]) == [RemovePod(once)]  # of a run that somebody deleted
    assert decided([run], now=NOW + 90 + 86_401) == [RemoveRun(run)]


def test_a_place_far_back_in_the_queue_is_told_now_and_then_and_a_near_one_always() -> None:
    told, run = list[int](), run_of(300)
    for before in range(200, -1, -1):
        waiting = [run_of(number, queue_position=number, reason="Queued") for number in range(1, before + 1)]
        found = [each for each in decided([*waiting, run]) if isinstance(each, WriteStatus) and each.run == run]
        told += [each.queue_position or 0 for each in found]
        run = replace(run, queue_position=told[-1], reason="Queued")
    assert told == [201, 100, 50, 25, 12, 6, 5, 4, 3, 2, 1]


def test_a_pool_is_never_made_smaller_and_gives_no_more_than_its_limit() -> None:
    pods = [pod_of(number, state=ASSIGNED, run=f"r{number}") for number in range(9)]
    runs = [run_of(number, phase=Phase.RUNNING) for number in range(9)]
    free, asking = [pod_of(20), pod_of(21)], [run_of(20), run_of(21)]
    attended = frozenset(run.uid for run in runs)
    found = decided([*runs, *asking], [*pods, *free], attended=attended)
    assert found == [
        Claim(asking[0], free[0]),
        WriteStatus(asking[1], Phase.PENDING, Reason.QUEUED, "waits for a worker of pool default", queue_position=1),
    ]


def test_a_worker_that_waited_for_a_day_is_replaced_one_at_a_time() -> None:
    pods = [pod_of(1), pod_of(2)]
    late = NOW + MAX_WAITING_SECONDS + 10
    assert decided(pods=pods, now=late) == [RemovePod(pods[0])]
    assert decided(pods=[*pods, pod_of(3, is_ready=False)], now=late) == []


class World:
    """Does what is decided, at once or later; makes new workers; ends runs."""

    def __init__(self, runs: int, waiting: int, most: int) -> None:
        self.runs = {f"r{number}": run_of(number) for number in range(runs)}
        self.pods: dict[str, PoolPod] = {}
        self.pool = Pool("default", waiting, most)
        self.late: list[Decision] = []
        self.attended: set[str] = set()
        self.handed_over: list[str] = []
        self.claims = self.refused = self.made = 0

    def state(self) -> OperatorState:
        pods = tuple(self.pods.values())
        return OperatorState(tuple(self.runs.values()), pods, (self.pool,), NOW + 500, frozenset(self.attended))

    def fill(self) -> None:
        """Do as a ReplicaSet does, whose selector wants pods that are available."""
        while sum(pod.state == AVAILABLE for pod in self.pods.values()) < self.pool.waiting:
            self.made += 1
            self.pods[f"p{self.made}"] = pod_of(self.made)

    def apply(self, decision: Decision) -> None:
        match decision:
            case Claim(run, pod):
                self.claims += 1
                if self.pods.get(pod.uid) != pod:  # the patch tests it
                    self.refused += 1
                    return
                self.pods[pod.uid] = replace(pod, state=ASSIGNED, run=run.uid)
            case FollowRun(run, pod):
                if run.uid not in self.attended:
                    self.attended.add(run.uid)
                    if self.runs[run.uid].phase is not Phase.RUNNING:
                        self.handed_over.append(run.uid)
                    self.runs[run.uid] = replace(self.runs[run.uid], phase=Phase.RUNNING)
            case WriteStatus(run, phase, _, _, place):
                self.runs[run.uid] = replace(
                    self.runs[run.uid], phase=phase, queue_position=place, reason=decision.reason or ""
                )
            case RemovePod(pod):
                self.pods.pop(pod.uid, None)
            case _:
                raise AssertionError(decision)

    def end(self, uid: str) -> None:
        self.runs[uid] = replace(self.runs[uid], phase=Phase.SUCCEEDED, finished=NOW + 400)
        self.attended.discard(uid)

    def check(self) -> None:
        holders = [pod.run for pod in self.pods.values() if pod.run]
        assert len(holders) == len(set(holders))
        assert len(self.handed_over) == len(set(self.handed_over))
        assert self.handed_over == sorted(self.handed_over, key=lambda uid: int(uid[1:]))
        assert sum(pod.state == ASSIGNED for pod in self.pods.values()) <= self.pool.most


@given(st.data(), st.integers(1, 12), st.integers(1, 4), st.integers(0, 5))
def test_whatever_comes_late_or_twice_each_run_is_handed_over_once_in_its_order(
    data: st.DataObject, runs: int, waiting: int, more: int
) -> None:
    world = World(runs, waiting, waiting + more)
    for _ in range(300):
        if all(run.phase.has_ended for run in world.runs.values()):
            break
        world.fill()
        seen = world.state()
        decisions = decide(seen)
        if data.draw(st.booleans()):  # a kill: the tasks are gone, and only the first decisions were done
            decisions = decisions[: data.draw(st.integers(0, len(decisions)))]
            world.attended.clear()
        for decision in decisions:
            world.apply(decision)
            world.check()
        if running := [uid for uid, run in world.runs.items() if run.phase is Phase.RUNNING and uid in world.attended]:
            world.end(data.draw(st.sampled_from(running)))
    assert all(run.phase is Phase.SUCCEEDED for run in world.runs.values())
    assert world.refused == 0
    for decision in decide(world.state()):
        world.apply(decision)
    assert not [pod for pod in world.pods.values() if pod.run]
    world.fill()
    settled = decide(world.state())
    assert settled == []
