"""What is decided about this machine's environments, as a function of what was observed."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.model.names import RepoPath
from bot.model.registration import Target
from bot.model.values import Pipeline, Source, Values
from cluster.sync.local.decide import decide
from cluster.sync.local.state import (
    Decision,
    Deploy,
    DesiredValues,
    EnvironmentState,
    MachineState,
    Report,
    Restore,
    RunScheduled,
    Settle,
    Supersede,
    Work,
)
from cluster.sync.outcome import Outcome

APP, OPS = RepoPath("ann/app"), RepoPath("ann/ops")
STAGING = Target(APP, OPS, "staging")
HOURLY = Pipeline(id="./one", schedule="0 * * * *")
NOW = 1000.0


def desired(version: str, ops_commit: str = "") -> DesiredValues:
    source = Source(repository="ann/app", path="", ref="refs/heads/master", commit=version * 40)
    return DesiredValues(Values(image=None, source=source, pipelines=(HOURLY,)), (ops_commit or version) * 40)


def outcome(version: str, *, ops_commit: str = "", reported: bool = True) -> Outcome:
    of = desired(version, ops_commit)
    return Outcome(
        ops_commit=of.ops_commit,
        values=of.values,
        phase="succeeded",
        message="3 rows",
        receipt=None,
        began=1.0,
        ended=2.0,
        reported=reported,
    )


NEW, OLD = desired("b"), desired("a")
IDLE = EnvironmentState(STAGING, NEW, is_settled=False, running=None, waits=False, last_start=0.0)
SETTLED = replace(IDLE, is_settled=True)
SCHEDULED = RunScheduled(STAGING, outcome("a"), (HOURLY,))


def decided(environment: EnvironmentState, free: int = 1) -> list[Decision]:
    return decide(MachineState((environment,), free, NOW))


@pytest.mark.parametrize(
    ("environment", "decision"),
    [
        # what is there is what is desired, or not
        (IDLE, Deploy(STAGING, NEW)),
        (SETTLED, None),
        (replace(IDLE, desired=None, is_settled=True), None),
        (replace(IDLE, last=outcome("a"), current=outcome("a")), Deploy(STAGING, NEW)),
        # after a start, by the record
        (replace(IDLE, last=outcome("b"), current=outcome("b")), Settle(STAGING, NEW)),
        (replace(IDLE, last=outcome("b"), current=outcome("a")), Settle(STAGING, NEW)),  # it failed
        # a kill, or a receiver that was away, came before the report; that goes before something newer
        (replace(IDLE, last=outcome("b", reported=False)), Report(STAGING, outcome("b", reported=False))),
        (replace(IDLE, last=outcome("a", reported=False)), Report(STAGING, outcome("a", reported=False))),
        # what runs is superseded by other values, not by another commit that says the same
        (replace(IDLE, running=Deploy(STAGING, OLD)), Supersede(STAGING)),
        (replace(SETTLED, running=Deploy(STAGING, OLD)), Supersede(STAGING)),
        (replace(IDLE, running=Deploy(STAGING, desired("b", "c"))), None),
        (replace(IDLE, desired=None, is_settled=True, running=Deploy(STAGING, OLD)), None),
        (replace(IDLE, running=Report(STAGING, outcome("a"))), None),
        # schedules
        (replace(SETTLED, due=(HOURLY,), current=outcome("b")), RunScheduled(STAGING, outcome("b"), (HOURLY,))),
        (replace(SETTLED, due=(HOURLY,)), None),  # nothing is deployed
        (replace(IDLE, due=(HOURLY,), current=outcome("a")), Deploy(STAGING, NEW)),
        (replace(IDLE, running=SCHEDULED), Supersede(STAGING)),
        (replace(SETTLED, running=SCHEDULED), None),
    ],
)
def test_what_is_done(environment: EnvironmentState, decision: Decision | None) -> None:
    assert decided(environment) == ([decision] if decision else [])


def test_going_back_to_what_still_runs_is_reported_and_not_run_again() -> None:
    ran = outcome("b", ops_commit="1", reported=False)
    (decision,) = decided(replace(IDLE, last=outcome("c"), current=ran))
    assert isinstance(decision, Restore)
    assert decision.release == ran
    assert (decision.end.ops_commit, decision.end.message, decision.end.ended) == (
        NEW.ops_commit,
        "3 rows; it ran already",
        NOW,
    )
    taken = ran.model_copy(update={"restored_for": (NEW.ops_commit,)})  # a kill came before it was told
    assert decided(replace(IDLE, last=outcome("c"), current=taken)) == [
        Report(STAGING, taken.model_copy(update=dict(decision.end) | {"restored_for": taken.restored_for}))
    ]


def test_a_release_is_gone_back_to_when_it_is_kept_and_nothing_runs_when_it_is_gone() -> None:
    wish = replace(desired("a", "9"), restored="a" * 40)
    kept, current, other = outcome("a"), outcome("b"), outcome("a", ops_commit="8")
    idle = replace(IDLE, desired=wish, current=current, last=current)
    (decision,) = decided(replace(idle, kept=(current, other, kept)))
    assert isinstance(decision, Restore)
    assert (decision.release, decision.end.message) == (kept, "3 rows; back to what it was, nothing ran")
    (decision,) = decided(replace(idle, kept=(current, other)))
    assert isinstance(decision, Report)
    assert decision.outcome.phase == "failed"
    assert "--run" in decision.outcome.message
    nothing = replace(NEW, values=NEW.values.model_copy(update={"pipelines": ()}))
    (decision,) = decided(replace(IDLE, desired=nothing))
    assert isinstance(decision, Report)
    assert decision.outcome.message == "no pipeline is to run"


def test_what_failed_waits_but_is_settled_when_its_record_says_so() -> None:
    assert decided(replace(IDLE, waits=True)) == []
    assert decided(replace(IDLE, waits=True, last=outcome("b"))) == [Settle(STAGING, NEW)]


def test_those_who_were_served_last_come_last() -> None:
    names = ["a", "b", "c"]
    found = [replace(IDLE, target=Target(APP, OPS, name), last_start=3.0 - at) for at, name in enumerate(names)]
    decisions = decide(MachineState(tuple(found), 2, NOW))
    assert [decision.target.environment for decision in decisions] == ["c", "b"]


outcomes = st.none() | st.builds(
    lambda version, reported: outcome(version, reported=reported), st.sampled_from("ab"), st.booleans()
)
works = st.none() | st.sampled_from(
    [Deploy(STAGING, NEW), Deploy(STAGING, OLD), Report(STAGING, outcome("a")), SCHEDULED]
)


@st.composite
def states(draw: st.DrawFn) -> MachineState:
    environments = [
        EnvironmentState(
            target=Target(APP, OPS, f"environment{number}"),
            desired=draw(st.sampled_from([None, NEW, OLD])),
            is_settled=draw(st.booleans()),
            running=draw(works),
            waits=draw(st.booleans()),
            last_start=draw(st.floats(0, 10)),
            last=draw(outcomes),
            current=draw(outcomes),
            due=draw(st.sampled_from([(), (HOURLY,)])),
        )
        for number in range(draw(st.integers(0, 5)))
    ]
    return MachineState(tuple(environments), draw(st.integers(0, 3)), NOW)


@given(states())
def test_no_environment_gets_two_jobs_and_no_more_start_than_are_free(state: MachineState) -> None:
    decisions = decide(state)
    started = [decision.target for decision in decisions if isinstance(decision, Work)]
    targets = [decision.target for decision in decisions]
    assert len(started) <= state.free
    assert len(set(targets)) == len(targets)
    by_target = {environment.target: environment for environment in state.environments}
    assert not any(by_target[target].running or by_target[target].waits for target in started)
