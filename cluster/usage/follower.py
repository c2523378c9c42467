"""Follows the runs: sees all of them each few seconds, decides, does. What it did not come to do is decided again."""

import threading
import time
from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from sqlalchemy import or_, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from bot.database import upsert
from bot.errors import DppctlError
from bot.logs import get_logger
from cluster.limits import FORGET_EVENTS_SECONDS, USAGE_ROUND_SECONDS, USAGE_STUCK_SECONDS
from cluster.runs_api import RunInfo
from cluster.usage.decide import (
    VANISHED,
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
from cluster.usage.live_runs import LiveRuns
from cluster.usage.metrics import UsageMetrics
from cluster.usage.reservations import DAY, release, reserve_anyway, resets_at, unreleased
from cluster.usage.service import UsageService
from cluster.usage.tables import Reservation, RunUsage

_log = get_logger("dppctl.usage")


class Follower:
    """Works in a thread of its own, from `start` to `stop`."""

    def __init__(self, service: UsageService, runs: LiveRuns, metrics: UsageMetrics | None = None) -> None:
        """Take the database, what knows the runs, and what counts."""
        self._service, self._runs, self._metrics = service, runs, metrics
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="usage", daemon=True)
        self._missed: frozenset[str] = frozenset()
        self._ended_round = time.monotonic()
        self._turn = threading.Lock()  # of a round
        self._began_round = 0.0
        self._gave_back = False

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, after the round that it is at."""
        self._stopping.set()
        self._thread.join()

    def problem(self) -> str | None:
        """Return what keeps it from working, in a line."""
        still = time.monotonic() - self._ended_round
        return f"no round has ended for {still:.0f} seconds" if still > USAGE_STUCK_SECONDS else None

    def refresh(self) -> bool:
        """Have a round that begins after this call, one for all who wait; return whether it released a reservation.

        Any thread may call it: a run that has ended keeps its reservation until a round has seen that.
        """
        asked = time.monotonic()
        try:
            with self._turn:
                if self._began_round < asked:
                    self._work_once()
                return self._gave_back
        except (DppctlError, SQLAlchemyError) as error:
            _log.warning("round failed", error=str(error).partition("\n")[0])
            return False

    def round(self) -> None:
        """See, decide and do once. Raises DppctlError."""
        with self._turn:
            self._work_once()

    def _work_once(self) -> None:
        self._began_round, self._gave_back = time.monotonic(), False
        self._service.limits.read_again()
        runs = self._runs.all()  # before the reservations: one of a run that is created meanwhile is then not left over
        state = self._observe(runs)
        decisions = decide_usage(state)
        self._missed = missing_now(state)
        with self._service.database.write() as session:
            for decision in decisions:
                self._write(session, decision, state.now)
            self._service.events.add(session, [each.event for each in decisions if isinstance(each, WriteEvent)])
        self._gave_back = any(isinstance(decision, ReleaseReservation) for decision in decisions)
        for decision in decisions:
            if isinstance(decision, StopRun | Notify):
                self._tell(decision)

    def _work(self) -> None:
        forgotten = 0.0
        while True:
            try:
                self.round()
                if time.monotonic() - forgotten > FORGET_EVENTS_SECONDS or not forgotten:
                    forgotten = time.monotonic()
                    self._service.events.forget_old()
            except (DppctlError, SQLAlchemyError) as error:
                _log.warning("round failed", error=str(error).partition("\n")[0])
            except Exception:  # noqa: BLE001 (the next round may do; the log has it)
                _log.exception("round failed")
            self._ended_round = time.monotonic()
            if self._stopping.wait(USAGE_ROUND_SECONDS):
                return

    def _observe(self, runs: Sequence[RunInfo]) -> UsageState:
        now = datetime.now(UTC)
        with self._service.database.read() as session:
            reservations = unreleased(session)
            wanted = or_(RunUsage.is_closed.is_(False), RunUsage.uid.in_([run.uid for run in runs]))
            rows = {row.uid: _so_far(row) for row in session.scalars(select(RunUsage).where(wanted))}
            groups = {reservation.user: reservation.groups.split() for reservation in reservations}
            users = {run.user for run in runs if run.user and not run.phase.has_ended}
            states = {user: self._user(session, user, groups.get(user, []), now) for user in users}
        found = [OpenReservation(each.id, each.run, each.user, each.expires, each.is_pending) for each in reservations]
        return UsageState(runs, found, rows, states, now, self._missed)

    def _user(self, session: Session, user: str, groups: Collection[str], now: datetime) -> UserState:
        ended = select(RunUsage).where(RunUsage.user == user, RunUsage.ended > now - DAY)
        spent = [*session.scalars(ended)]
        return UserState(
            self._service.limits.limits(session, user, groups),
            sum(each.worker_seconds for each in spent),
            resets_at(spent),
        )

    def _write(self, session: Session, decision: UsageDecision, now: datetime) -> None:
        match decision:
            case Count():
                _count(session, decision)
            case Close(uid):
                row = session.get_one(RunUsage, uid)
                if row.ended is None:
                    row.ended, row.outcome = now, VANISHED
                row.is_closed = True
            case ReleaseReservation(identity):
                release(session, identity, now)
            case ConfirmReservation(identity, is_pending):
                reservation = update(Reservation).where(Reservation.id == identity)
                session.execute(reservation.values(expires=None, is_pending=is_pending))
            case MakeReservation(run):
                reserve_anyway(session, run.name, run.user, run.database is not None, now)
            case _:
                pass  # not of the database

    def _tell(self, decision: StopRun | Notify) -> None:
        """Stop a run, or leave a notice. What fails is decided again."""
        try:
            if isinstance(decision, StopRun):
                self._runs.stop(decision.run.name, decision.message)
                _log.info("run stopped", run=decision.run.name, user=decision.run.user, limit=decision.limit)
                if self._metrics:
                    self._metrics.count_stop(decision.limit)
                return
            self._runs.notify(decision.run.name, decision.message)
            with self._service.database.write() as session:
                row = session.get_one(RunUsage, decision.run.uid)
                row.noticed = f"{row.noticed} {decision.limit}".strip()
        except DppctlError as error:
            _log.warning("not told", run=decision.run.name, limit=decision.limit, error=error)


def _so_far(row: RunUsage) -> UsageSoFar:
    return UsageSoFar(row.uid, row.run, row.outcome, row.ended, frozenset(row.noticed.split()), row.is_closed)


def _count(session: Session, counted: Count) -> None:
    run = counted.run
    values = {
        "run": run.name,
        "user": run.user,
        "worker_seconds": counted.worker_seconds,
        "database_seconds": counted.database_seconds,
        "rows": run.rows or 0,
        "bytes_in": run.workload_bytes,
        "bytes_published": run.published_bytes or 0,
        "created": datetime.fromisoformat(run.created),
        "started": datetime.fromisoformat(run.assigned) if run.assigned else None,
        "ended": datetime.fromisoformat(run.finished) if run.finished else None,
        "outcome": run.phase.value,
        "is_closed": counted.is_closed,
    }
    upsert(session, RunUsage, {"uid": run.uid}, {**values, "noticed": ""}, update=values)
