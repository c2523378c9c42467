"""What was used since a time: by somebody, or by all."""

import csv
import io
import json
import re
from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from bot.errors import PermanentError
from cluster.limits import MAX_REPORT_RUNS, USAGE_DAYS
from cluster.usage.event_log import ssh_seconds
from cluster.usage.limit_rules import UNITS
from cluster.usage.reservations import DAY, open_reservations, used_since
from cluster.usage.service import UsageService
from cluster.usage.shapes import LimitState, RunRecord, UsageReport
from cluster.usage.tables import LoggedEvent, RunUsage

_SPAN = re.compile(r"([1-9][0-9]{0,4})([hdw])")
_HOURS = {"h": 1, "d": 24, "w": 168}
RUN_COLUMNS = [field.alias or name for name, field in RunRecord.model_fields.items()]
EVENT_COLUMNS = ["at", "user", "login", "action", "subject", "outcome", "ip", "details", "id"]


class SinceError(PermanentError):
    """No time can be read from a text."""


def read_since(text: str, now: datetime) -> datetime:
    """Return the time that a text means: so many hours, days or weeks ago, or a day. Raises SinceError."""
    if found := _SPAN.fullmatch(text):
        return now - min(timedelta(hours=int(found[1]) * _HOURS[found[2]]), timedelta(days=USAGE_DAYS))
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise SinceError(f"since: {text[:50]!r} is no time; such as 7d, 12h, 2w or 2026-01-31") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def make_report(service: UsageService, user: str | None, groups: Collection[str], since: datetime) -> UsageReport:
    """Return what a user's runs used (None: everybody's) that had not ended at a time, and how his limits stand."""
    with service.database.read() as session:
        rows = select(RunUsage).where(or_(RunUsage.ended.is_(None), RunUsage.ended >= since))
        if user is not None:
            rows = rows.where(RunUsage.user == user)
        newest = rows.order_by(RunUsage.created.desc(), RunUsage.uid).limit(MAX_REPORT_RUNS + 1)
        found = [RunRecord.model_validate(row, from_attributes=True) for row in session.scalars(newest)]
        limits = tuple(_limits(service, session, user, groups)) if user is not None else ()
    return UsageReport(
        user=user, since=since, runs=tuple(found[:MAX_REPORT_RUNS]), limits=limits, more=len(found) > MAX_REPORT_RUNS
    )


def events_since(service: UsageService, user: str | None, since: datetime) -> Iterator[dict[str, object]]:
    """Yield what a user (None: everybody) did and was refused, the oldest first."""
    rows = select(LoggedEvent).where(LoggedEvent.at >= since).order_by(LoggedEvent.at, LoggedEvent.id)
    if user is not None:
        rows = rows.where(LoggedEvent.user == user)
    with service.database.read() as session:
        for row in session.scalars(rows.execution_options(yield_per=1000)):
            found = {name: getattr(row, name) for name in EVENT_COLUMNS}
            yield {**found, "at": row.at.isoformat(), "details": json.dumps(row.details, ensure_ascii=False)}


def csv_lines(columns: Collection[str], rows: Iterable[dict[str, object]]) -> Iterator[str]:
    """Yield lines of CSV, the first with the columns' names; what a spreadsheet would take for a formula is none."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_harmless(row.get(column)) for column in columns])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()


def _harmless(value: object) -> object:
    """Return a cell that no spreadsheet runs: https://owasp.org/www-community/attacks/CSV_Injection."""
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{value}"
    return value


def _limits(service: UsageService, session: Session, user: str, groups: Collection[str]) -> Iterator[LimitState]:
    now = datetime.now(UTC)
    used, taken = used_since(session, user, now - DAY), open_reservations(session, user, now)
    counts = {
        "runs": len(taken),
        "databases": sum(each.database for each in taken),
        "pendingRuns": sum(each.is_pending for each in taken),
        "workerHours": sum(each.worker_seconds for each in used) / 3600,
        "publishedBytes": sum(each.bytes_published for each in used),
        "sshMinutes": ssh_seconds(session, user, now - DAY) / 60,
    }
    limits = service.limits.limits(session, user, groups)
    for name, count in counts.items():
        yield LimitState(name=name, unit=UNITS[name], used=round(count, 2), allowed=limits[name])
