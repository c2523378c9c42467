"""Lengths of time as people write and read them."""

import re

from cluster.errors import ClusterError

_UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_NAMES = {"d": "day", "h": "hour", "m": "minute", "s": "second"}
_FORM = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", re.ASCII)


def seconds(text: str) -> float:
    """`1h`, `90s`, `1h30m`, `2d`; a bare number counts seconds. Raises ClusterError for anything else."""
    written = text.strip().lower()
    if re.fullmatch(r"\d{1,9}", written, re.ASCII):
        return float(written)
    found = _FORM.fullmatch(written)
    if not written or not found or len(written) > 20:
        raise ClusterError(f"'{text}' is no length of time; write it like 1h, 30m, 90s or 0")
    return float(sum(int(count) * size for count, size in zip(found.groups("0"), _UNITS.values(), strict=True)))


def short(length: float) -> str:
    """Return the length with its two largest units: `3m20s`, `1h05m`, `0s`."""
    parts = _parts(length)[:2]
    return "".join(f"{count:02}{unit}" if index else f"{count}{unit}" for index, (count, unit) in enumerate(parts))


def spoken(length: float) -> str:
    """`1 hour`, `2 hours 30 minutes`, `0 seconds`."""
    parts = [(count, unit) for count, unit in _parts(length) if count] or [(0, "s")]
    return " ".join(f"{count} {_NAMES[unit]}{'' if count == 1 else 's'}" for count, unit in parts)


def _parts(length: float) -> list[tuple[int, str]]:
    """Return the counts of units, from the first that counts down to seconds."""
    rest = int(length)
    parts: list[tuple[int, str]] = []
    for unit, size in _UNITS.items():
        count, rest = divmod(rest, size)
        if count or parts or unit == "s":
            parts.append((count, unit))
    return parts
