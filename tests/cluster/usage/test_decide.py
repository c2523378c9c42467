"""What is decided about runs, reservations and limits."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cluster.operator.model import Phase
from cluster.runs_api import PodName, RunInfo
from cluster.usage.decide import (
    Close,
    ConfirmReservation,
    Count,
    MakeReservation,
    Notify,
    OpenReservation,
    ReleaseReservation,
    StopRun,
    UsageDecision,
    UsageSoFar,
    UsageState,
    UserState,
    WriteEvent,
    decide_usage,
    missing_now,
)

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
FREE = UserState(dict.fromkeys(("runs", "runSeconds", "workerHours", "publishedBytes")))


def ago(seconds: float) -> str:
    return (NOW - timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def run_of(phase: Phase = Phase.RUNNING, **values: Any) -> RunInfo:
    given = {
        "name": "run-1",
        "uid": "u1",
        "user": "token:ann",
        "phase": phase,
        "pipelines": ("all",),
        "pool": "default",
        "created": ago(1000),
        "reservation": "p1",
        "workload_bytes": 7,
    }
    if phase is not Phase.PENDING:
        given |= {"assigned": ago(600), "started": ago(590)}
    if phase.has_ended:
        given |= {"finished": ago(100)}
    return RunInfo.model_validate({**given, **values})


def reservation(**values: Any) -> OpenReservation:
    return OpenReservation(
        **{"id": "p1", "run": "run-1", "user": "token:ann", "expires": None, "is_pending": False, **values}
    )


def row(**values: Any) -> UsageSoFar:
    given = {
        "uid": "u1",
        "run": "run-1",
        "outcome": "Running",
        "ended": None,
        "noticed": frozenset(),
        "is_closed": False,
    }
    return UsageSoFar(**{**given, **values})


def decided(
    runs: Sequence[RunInfo] = (),
    reservations: Sequence[OpenReservation] = (),
    rows: Sequence[UsageSoFar] = (),
    users: Mapping[str, UserState] | None = None,
    missed: Sequence[str] = (),
) -> list[UsageDecision]:
    by_uid = {each.uid: each for each in rows}
    return decide_usage(UsageState(runs, reservations, by_uid, users or {"token:ann": FREE}, NOW, frozenset(missed)))


def of(kind: type[Any], decisions: Sequence[UsageDecision]) -> list[Any]:
    return [each for each in decisions if isinstance(each, kind)]


@pytest.mark.parametrize("phase", list(Phase))
def test_a_worker_counts_from_its_assignment_to_the_end_and_never_while_a_run_waits(phase: Phase) -> None:
    counted = of(Count, decided([run_of(phase)]))[0]
    expected = 0 if phase is Phase.PENDING else 500 if phase.has_ended else 600
    assert (counted.worker_seconds, counted.is_closed) == (expected, phase.has_ended)


def test_a_database_counts_until_it_is_removed_and_the_row_stays_open_until_then() -> None:
    database = {"database": PodName(name="db-1")}
    still = of(Count, decided([run_of(Phase.SUCCEEDED, **database, database_until=ago(-60))]))[0]
    assert (still.worker_seconds, still.database_seconds, still.is_closed) == (500, 600, False)
    gone = of(Count, decided([run_of(Phase.SUCCEEDED, **database, database_until=ago(50))]))[0]
    assert (gone.database_seconds, gone.is_closed) == (550, True)


def test_what_is_closed_is_not_touched_again() -> None:
    assert not decided([run_of(Phase.SUCCEEDED)], rows=[row(outcome="Succeeded", ended=NOW, is_closed=True)])


def test_every_phase_is_an_event_with_its_own_time_and_the_same_id_each_time() -> None:
    ended = run_of(Phase.FAILED, reason="PipelineFailed", message="no rows")
    events = [each.event for each in of(WriteEvent, decided([ended]))]
    assert [(each.outcome, each.at) for each in events] == [
        ("Pending", NOW - timedelta(seconds=1000)),
        ("Assigned", NOW - timedelta(seconds=600)),
        ("Running", NOW - timedelta(seconds=590)),
        ("Failed PipelineFailed", NOW - timedelta(seconds=100)),
    ]
    assert events[-1].details == {"uid": "u1", "message": "no rows"}
    again = [each.event.id for each in of(WriteEvent, decided([ended], rows=[row()]))]
    assert again == [each.id for each in events]
    assert not of(WriteEvent, decided([run_of()], rows=[row()]))


def test_a_place_is_given_back_when_its_run_has_ended() -> None:
    for phase in Phase:
        assert bool(of(ReleaseReservation, decided([run_of(phase)], [reservation()]))) is phase.has_ended


def test_a_place_whose_run_is_seen_waits_for_it_no_more() -> None:
    soon = NOW + timedelta(seconds=1)
    assert of(ConfirmReservation, decided([run_of()], [reservation(expires=soon, is_pending=True)])) == [
        ConfirmReservation("p1", False)
    ]
    assert of(ConfirmReservation, decided([run_of(Phase.PENDING)], [reservation(expires=soon)])) == [
        ConfirmReservation("p1", True)
    ]
    assert not of(ConfirmReservation, decided([run_of()], [reservation()]))


def test_a_place_without_a_run_is_given_back_when_its_time_is_over_or_the_run_was_missed_twice() -> None:
    assert not decided(reservations=[reservation(expires=NOW + timedelta(seconds=1))])
    assert decided(reservations=[reservation(expires=NOW - timedelta(seconds=1))]) == [ReleaseReservation("p1")]
    assert not decided(reservations=[reservation()])
    assert missing_now(UsageState((), [reservation()], {}, {}, NOW)) == {"run-1"}
    assert decided(reservations=[reservation()], missed=["run-1"]) == [ReleaseReservation("p1")]


def test_a_run_without_a_place_takes_one() -> None:
    assert of(MakeReservation, decided([run_of()]))
    assert not of(MakeReservation, decided([run_of()], [reservation()]))
    assert not of(MakeReservation, decided([run_of(Phase.LOST)]))
    assert not of(MakeReservation, decided([run_of(user="")]))  # by the clock


def test_what_vanished_is_closed_when_it_was_missed_twice() -> None:
    assert not decided(rows=[row()])
    assert missing_now(UsageState((), (), {"u1": row()}, {}, NOW)) == {"u1"}
    closed = decided(rows=[row()], missed=["u1"])
    assert of(Close, closed) == [Close("u1")]
    assert [each.event.outcome for each in of(WriteEvent, closed)] == ["Vanished"]
    assert decided(rows=[row(outcome="Succeeded", ended=NOW)], missed=["u1"]) == [Close("u1")]


def limited(allowed: float, name: str = "runSeconds", **values: Any) -> dict[str, UserState]:
    return {"token:ann": UserState({**FREE.limits, name: allowed}, **values)}


def test_at_four_fifths_of_a_limit_there_is_one_notice_and_over_it_the_run_is_stopped() -> None:
    assert not of(Notify, decided([run_of()], rows=[row()], users=limited(751)))
    near = of(Notify, decided([run_of()], rows=[row()], users=limited(750)))
    assert [each.message for each in near] == [
        "limit runSeconds is near: 600 of 750 seconds a run are used; at the limit this run is stopped"
    ]
    assert not of(Notify, decided([run_of()], rows=[row(noticed=frozenset({"runSeconds"}))], users=limited(750)))
    over = decided([run_of()], rows=[row()], users=limited(600))
    assert [each.message for each in of(StopRun, over)] == [
        "limit runSeconds: you may have 600 seconds a run, and 600 are used"
    ]
    assert not of(Notify, over)
    assert not of(StopRun, decided([run_of(stopping=True)], rows=[row()], users=limited(600)))


def test_hours_of_a_day_are_those_of_all_of_a_users_runs() -> None:
    users = limited(0.5, "workerHours", spent_seconds=600, resets=NOW)
    two = [run_of(), run_of(name="run-2", uid="u2")]
    stopped = of(StopRun, decided(two, users=users))
    assert [each.run.name for each in stopped] == ["run-1", "run-2"]
    assert "limit workerHours: you may have 0.50 worker-hours in 24 hours, and 0.50 are used" in stopped[0].message
    assert "free again at 2026-01-31 12:00 UTC" in stopped[0].message
    assert not of(StopRun, decided(two[:1], users=users))
    others = [run_of(), run_of(name="run-2", uid="u2", user="token:ben")]
    assert not of(StopRun, decided(others, users={**users, "token:ben": FREE}))


def test_what_waits_or_has_ended_is_not_stopped() -> None:
    for phase in Phase:
        stopped = of(StopRun, decided([run_of(phase)], users=limited(1)))
        assert bool(stopped) is (phase in (Phase.ASSIGNED, Phase.RUNNING))
