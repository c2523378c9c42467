"""Which limits somebody has, and whether he is banned, from what the limits' file says. Pure."""

import ipaddress
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from bot.errors import PermanentError
from cluster.usage.limits_file import Scope

UNITS: Mapping[str, str] = {
    "runs": "runs at a time",
    "databases": "databases at a time",
    "runSeconds": "seconds a run",
    "workerHours": "worker-hours in 24 hours",
    "uploadBytes": "bytes of one workload",
    "publishedBytes": "published bytes in 24 hours",
    "sshMinutes": "minutes of ssh in 24 hours",
    "callsPerMinute": "calls a minute",
    "pendingRuns": "runs that wait",
}  # of each limit, for people


@dataclass(frozen=True)
class LimitEntry:
    """A limit of some people: of all by default, of a group, of a user, or of all together."""

    scope: Scope
    holder: str
    name: str
    value: float | None


@dataclass(frozen=True)
class Ban:
    """Who may do nothing, why, and until when."""

    kind: str  # user, group or address
    pattern: str
    reason: str
    until: datetime | None = None

    def hits(self, user: str, groups: Collection[str], address: str, now: datetime) -> bool:
        """Return whether it is about this person now."""
        if self.until is not None and now >= self.until:
            return False
        if self.kind == "address":
            return _is_within(address, self.pattern)
        return self.pattern == user if self.kind == "user" else self.pattern in groups


class BannedError(PermanentError):
    """Somebody is banned."""

    def __init__(self, ban: Ban) -> None:
        """Say why, and until when."""
        until = f" until {ban.until:%Y-%m-%d %H:%M} UTC" if ban.until else ""
        super().__init__(f"{ban.kind} {ban.pattern} is banned{until}: {ban.reason}")


class LimitReachedError(PermanentError):
    """Somebody has used what he may."""

    def __init__(self, name: str, used: float, allowed: float, resets: datetime | None, whose: str = "you") -> None:
        """`name`: a key of UNITS; `resets`: when some of it is free again, as far as is known."""
        again = f"; some of it is free again at {resets:%Y-%m-%d %H:%M} UTC" if resets else ""
        what = f"limit {name}: {whose} may have {plain(allowed)} {UNITS[name]}, and {plain(used)} are used"
        super().__init__(what + again)
        self.name, self.used, self.allowed, self.resets = name, used, allowed, resets

    @property
    def is_spent(self) -> bool:
        """Return whether waiting for other runs' ends does not help: it is of a day, or of a size."""
        return self.name in ("workerHours", "uploadBytes", "publishedBytes", "sshMinutes")


def limits_of(entries: Iterable[LimitEntry], user: str, groups: Collection[str]) -> dict[str, float | None]:
    """Return the limits of a person by name: the person's own, else that of the most generous of the groups, else the
    default. None: no limit.
    """
    own: dict[str, float | None] = {}
    of_groups: dict[str, list[float | None]] = {}
    default: dict[str, float | None] = {}
    for entry in entries:
        if entry.scope == "user" and entry.holder == user:
            own[entry.name] = entry.value
        elif entry.scope == "group" and entry.holder in groups:
            of_groups.setdefault(entry.name, []).append(entry.value)
        elif entry.scope == "default":
            default[entry.name] = entry.value
    generous = {
        name: None if None in values else max(value for value in values if value is not None)
        for name, values in of_groups.items()
    }
    return {**default, **generous, **own}


def ban_of(bans: Iterable[Ban], user: str, groups: Collection[str], address: str, now: datetime) -> Ban | None:
    """Return the first ban that is about somebody."""
    return next((ban for ban in bans if ban.hits(user, groups, address, now)), None)


def plain(number: float) -> str:
    """Return a number for people: whole ones as such, others with two places."""
    return f"{number:,.0f}" if float(number).is_integer() else f"{number:,.2f}"


def _is_within(address: str, network: str) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    return found in ipaddress.ip_network(network, strict=False)
