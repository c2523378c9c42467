"""What to do about runs, reservations and limits, from what is seen of them. Pure.

The same decisions come again until they are done: whatever was killed in between, nothing is counted twice, no
reservation stays open and nothing is missing in the log. What a run uses is counted by the times in its status,
never by a clock of ours.
"""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from bot.usage_events import UsageEvent
from cluster.limits import NOTICE_SHARE
from cluster.operator.model import Phase
from cluster.runs_api import RunInfo
from cluster.usage.limit_rules import UNITS, LimitReachedError, plain

VANISHED = "Vanished"


@dataclass(frozen=True)
class OpenReservation:
    """A reservation that is not released."""

    id: str
    run: str
    user: str
    expires: datetime | None
    is_pending: bool


@dataclass(frozen=True)
class UsageSoFar:
    """What is written down of a run."""

    uid: str
    run: str
    outcome: str  # the last phase that is logged
    ended: datetime | None
    noticed: frozenset[str]
    is_closed: bool


@dataclass(frozen=True)
class UserState:
    """What decides about a user's runs; `spent` is of runs that are closed, of the last 24 hours."""

    limits: Mapping[str, float | None]
    spent_seconds: float = 0.0
    resets: datetime | None = None


@dataclass(frozen=True)
class UsageState:
    """All of it at one moment; `missed`: the names and uids of runs that were not there the last time either."""

    runs: Sequence[RunInfo]
    reservations: Sequence[OpenReservation]
    rows: Mapping[str, UsageSoFar]  # by uid: those that are not closed, and those of the runs
    users: Mapping[str, UserState]
    now: datetime
    missed: Collection[str] = field(default_factory=frozenset)


@dataclass(frozen=True)
class Count:
    """Write down what a run used until now."""

    run: RunInfo
    worker_seconds: float
    database_seconds: float
    is_closed: bool


@dataclass(frozen=True)
class Close:
    """Write down that a run is not there any more."""

    uid: str


@dataclass(frozen=True)
class WriteEvent:
    """Log something."""

    event: UsageEvent


@dataclass(frozen=True)
class ReleaseReservation:
    """Release a reservation."""

    id: str


@dataclass(frozen=True)
class ConfirmReservation:
    """Note that the run of a reservation is there."""

    id: str
    is_pending: bool


@dataclass(frozen=True)
class MakeReservation:
    """Have a run that has no reservation make one."""

    run: RunInfo


@dataclass(frozen=True)
class Notify:
    """Say in a run's stream that a limit is near."""

    run: RunInfo
    limit: str
    message: str


@dataclass(frozen=True)
class StopRun:
    """End a run because of a limit."""

    run: RunInfo
    limit: str
    message: str


UsageDecision = (
    Count | Close | WriteEvent | ReleaseReservation | ConfirmReservation | MakeReservation | Notify | StopRun
)


def decide_usage(state: UsageState) -> list[UsageDecision]:
    """Return what to do now."""
    decisions = [*_of_reservations(state)]
    for run in state.runs:
        row = state.rows.get(run.uid)
        if row is None or not row.is_closed:
            decisions += _of_run(run, row, state.now)
    there = {run.uid for run in state.runs}
    for row in state.rows.values():
        if not row.is_closed and row.uid not in there and row.uid in state.missed:
            decisions.append(Close(row.uid))
            if row.ended is None:
                decisions.append(WriteEvent(_event(row.uid, row.run, "", VANISHED, state.now, "not there any more")))
    decisions += _of_limits(state)
    return decisions


def missing_now(state: UsageState) -> frozenset[str]:
    """Return the names and uids of runs that should be there and are not: if they are missing again, they are gone."""
    there = {run.uid for run in state.runs} | {run.name for run in state.runs}
    expected = {row.uid for row in state.rows.values() if not row.is_closed}
    expected |= {reservation.run for reservation in state.reservations if reservation.expires is None}
    return frozenset(expected - there)


def worker_seconds(run: RunInfo, now: datetime) -> float:
    """Return for how long a run had a worker."""
    begun = run.assigned or run.started
    if begun is None:
        return 0.0
    return max(0.0, ((_time(run.finished) or now) - _at(begun)).total_seconds())


def _of_reservations(state: UsageState) -> Iterator[UsageDecision]:
    runs = {run.name: run for run in state.runs}
    for reservation in state.reservations:
        if (run := runs.get(reservation.run)) is not None:
            is_pending = run.phase is Phase.PENDING
            if run.phase.has_ended:
                yield ReleaseReservation(reservation.id)
            elif reservation.expires is not None or reservation.is_pending != is_pending:
                yield ConfirmReservation(reservation.id, is_pending)
        elif reservation.expires is None:
            if reservation.run in state.missed:
                yield ReleaseReservation(reservation.id)
        elif reservation.expires < state.now:
            yield ReleaseReservation(reservation.id)
    taken = {reservation.run for reservation in state.reservations}
    for run in state.runs:
        if run.user and not run.phase.has_ended and run.name not in taken:
            yield MakeReservation(run)


def _of_run(run: RunInfo, row: UsageSoFar | None, now: datetime) -> Iterator[UsageDecision]:
    until = _time(run.database_until) or _time(run.finished)
    keeps_database = run.database is not None and (until is None or until > now)
    database_seconds = 0.0
    if run.database is not None and (begun := run.assigned or run.started):
        database_seconds = max(0.0, (min(until or now, now) - _at(begun)).total_seconds())
    is_closed = run.phase.has_ended and not keeps_database
    yield Count(run, worker_seconds(run, now), database_seconds, is_closed)
    if row is None or row.outcome != run.phase:
        yield from map(WriteEvent, _phases(run))


def _phases(run: RunInfo) -> Iterator[UsageEvent]:
    """Yield the phases that a run has had; one that is logged already is known by its id."""
    times = {Phase.PENDING: run.created, Phase.ASSIGNED: run.assigned, Phase.RUNNING: run.started}
    for phase, at in times.items():
        if at:
            yield _event(run.uid, run.name, run.user, phase, _at(at))
    if run.phase.has_ended:
        at = run.finished or run.started or run.assigned or run.created
        yield _event(run.uid, run.name, run.user, run.phase, _at(at), run.message or "", run.reason or "")


def _event(uid: str, run: str, user: str, phase: str, at: datetime, message: str = "", reason: str = "") -> UsageEvent:
    told: dict[str, str | int] = {"uid": uid, **({"message": message} if message else {})}
    return UsageEvent(
        id=hashlib.sha256(f"{uid} {phase}".encode()).hexdigest()[:32],
        at=at,
        user=user,
        action="run",
        subject=run,
        outcome=f"{phase} {reason}".strip(),
        details=told,
    )


def _of_limits(state: UsageState) -> Iterator[UsageDecision]:
    """Decide which runs are near a limit of their user, and which are over one."""
    by_user: dict[str, list[RunInfo]] = defaultdict(list)
    for run in state.runs:
        if run.user in state.users and not run.phase.has_ended and (run.assigned or run.started):
            by_user[run.user].append(run)
    for user, runs in by_user.items():
        of_user = state.users[user]
        seconds = of_user.spent_seconds + sum(worker_seconds(run, state.now) for run in runs)
        for run in runs:
            # Of `publishedBytes` a run is told when it publishes: it goes on, and is not ended for that.
            used = {"runSeconds": worker_seconds(run, state.now), "workerHours": seconds / 3600}
            yield from _of_limited(run, used, of_user, state.rows.get(run.uid))


def _of_limited(
    run: RunInfo, used: Mapping[str, float], of_user: UserState, row: UsageSoFar | None
) -> Iterator[UsageDecision]:
    noticed = row.noticed if row else frozenset()
    for name, value in used.items():
        allowed = of_user.limits.get(name)
        if allowed is None or value == 0:
            continue
        if value >= allowed:
            if not run.stopping:
                resets = None if name == "runSeconds" else of_user.resets
                yield StopRun(run, name, str(LimitReachedError(name, value, allowed, resets)))
            return
        if value >= NOTICE_SHARE * allowed and name not in noticed:
            what = f"{plain(round(value, 2))} of {plain(allowed)} {UNITS[name]} are used"
            yield Notify(run, name, f"limit {name} is near: {what}; at the limit this run is stopped")


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _time(text: str | None) -> datetime | None:
    return _at(text) if text else None
