"""Times as people say them: how long ago, how long it took. `static/dppctl.js` says the same while a page is open."""

from datetime import UTC, datetime

_MINUTE, _HOUR, _DAY, _MONTH, _YEAR = 60, 3600, 86_400, 2_629_746, 31_556_952  # seconds
_UNITS = (("year", _YEAR), ("month", _MONTH), ("day", _DAY), ("hour", _HOUR), ("minute", _MINUTE))


def ago(when: datetime, now: datetime | None = None) -> str:
    """Return `3 minutes ago`, or `in 3 minutes` for what is to come; of less than a minute `just now`."""
    seconds = ((now or datetime.now(UTC)) - when).total_seconds()
    for name, unit in _UNITS:
        if abs(seconds) >= unit:
            number = int(abs(seconds) // unit)
            words = f"{number} {name}{'' if number == 1 else 's'}"
            return f"{words} ago" if seconds > 0 else f"in {words}"
    return "just now" if seconds >= 0 else "in a moment"


def took(seconds: float) -> str:
    """Return how long something took: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"
