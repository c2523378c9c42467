"""Crontab lines that Kubernetes and the clock of one machine both accept, and read alike.

Kubernetes reads them with https://pkg.go.dev/github.com/robfig/cron/v3 (ParseStandard): no `L`, `W` or `#`, and Sunday
is 0, not 7. Here cronsim does, as Debian's cron. They differ where days of the month and of the week are both limited,
one of them by `*/2`, which Debian takes for `*`: so that is written out.
"""

import re
from datetime import UTC, datetime

from cronsim import CronSim, CronSimError

from bot.limits import MAX_SCHEDULE

_NAMES = ("minute", "hour", "day of month", "month", "day of week")
_PART = re.compile(r"(\*|[0-9]+(-[0-9]+)?|[A-Za-z]{3}(-[A-Za-z]{3})?)(/[0-9]+)?")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_LAST_DAY = 31  # of a month


def normalise_schedule(text: str) -> str:
    """Return a crontab line of five fields as both clocks read it. Raises ValueError (what is wrong with it)."""
    if len(text) > MAX_SCHEDULE:
        raise ValueError(f"has more than {MAX_SCHEDULE} characters")
    fields = text.split()
    if len(fields) != len(_NAMES):
        raise ValueError("expected five fields, such as '0 6 * * *'")
    for name, field in zip(_NAMES, fields, strict=True):
        for part in field.split(","):
            if not _PART.fullmatch(part):
                raise ValueError(f"{name}: {part!r}: Kubernetes knows numbers, names, *, lists, ranges and steps only")
    fields[4] = _days_of_week(fields[4])
    if fields[2] != "*" and fields[4] != "*":  # either of them, for both clocks
        fields[2] = re.sub(r"\*", f"1-{_LAST_DAY}", fields[2])
        fields[4] = re.sub(r"\*", "0-6", fields[4])
    line = " ".join(fields)
    if len(line) > MAX_SCHEDULE:
        raise ValueError(f"has more than {MAX_SCHEDULE} characters with its `*` written out")
    try:
        CronSim(line, datetime.now(UTC))
    except CronSimError as error:
        raise ValueError(str(error)) from None
    return line


def _days_of_week(field: str) -> str:
    """Return the field without 7, which is Sunday in cron and nothing in Kubernetes."""
    if not re.search(r"(?<!/)\b7\b", field):
        return field
    days: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, last = ("0-6" if span == "*" else span).partition("-")
        start = _day(first)
        end = _day(last) if last else 7 if step else start
        if start > end or step == "0":
            raise ValueError(f"Bad day-of-week: {part}")
        days |= {day % 7 for day in range(start, end + 1, int(step or 1))}
    return ",".join(str(day) for day in sorted(days))


def _day(text: str) -> int:
    day = int(text) if text.isdecimal() else _DAYS.index(text.lower()) if text.lower() in _DAYS else 8
    if day > 7:
        raise ValueError(f"Bad day-of-week: {text}")
    return day
