"""The file that says who may use how much, and who nothing (docs/usage.md). What is wrong in it has file and line."""

import ipaddress
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from bot.errors import PermanentError
from bot.model.documents import Document, Part, read_text
from cluster.limits import MAX_LIMITS_BYTES

Scope = Literal["default", "group", "user", "total"]
Holder = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,32}:[^\s\x00-\x1f\x7f]{1,100}$")]  # org:hasadna
Count = Annotated[int | None, Field(ge=0, le=2**50)]  # None: no limit


class LimitsFileError(PermanentError):
    """The limits' file cannot be used."""


class LimitValues(Part):
    """Limits of somebody; those that are left out are decided elsewhere, null is none."""

    runs: Count = 2  # at a time
    databases: Count = 1  # at a time
    run_seconds: Count = 3600  # of one run
    worker_hours: Annotated[float | None, Field(ge=0, le=10**9)] = 4.0  # in a day; a day is always the last 24 hours
    upload_bytes: Count = 256 * 2**20  # of one workload
    published_bytes: Count = 2**30  # in a day
    ssh_minutes: Count = 30  # in a day
    calls_per_minute: Count = 60
    pending_runs: Count = 20  # that wait for a worker


class TotalValues(Part):
    """Limits of all people together."""

    pending_runs: Count = 200


class BanEntry(Part):
    """A user, a group or an address that may do nothing."""

    user: Holder | None = None
    group: Holder | None = None
    address: str | None = None  # or a network, such as 203.0.113.0/24
    reason: Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,300}$")]
    until: datetime | date | None = None  # in UTC unless it says otherwise; left out: for good

    @model_validator(mode="after")
    def _check(self) -> "BanEntry":
        given = [name for name in ("user", "group", "address") if getattr(self, name)]
        if len(given) != 1:
            raise ValueError("a ban has one of user, group and address")
        try:
            ipaddress.ip_network(self.address or "0.0.0.0", strict=False)  # noqa: S104
        except ValueError:
            raise ValueError(f"{self.address} is no address and no network, such as 203.0.113.0/24") from None
        return self

    @property
    def kind(self) -> str:
        """Return what is banned: user, group or address."""
        return "user" if self.user else "group" if self.group else "address"

    @property
    def pattern(self) -> str:
        """Return who, or from where."""
        return self.user or self.group or self.address or ""

    @property
    def end(self) -> datetime | None:
        """Return when it is over; of a day, when that begins."""
        if self.until is None:
            return None
        at = self.until if isinstance(self.until, datetime) else datetime(*self.until.timetuple()[:3])
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)


class LimitsFile(Part):
    """All of the file."""

    default: LimitValues = LimitValues()
    groups: Mapping[Holder, LimitValues] = Field(default_factory=dict)
    users: Mapping[Holder, LimitValues] = Field(default_factory=dict)
    total: TotalValues = TotalValues()
    bans: tuple[BanEntry, ...] = ()

    def values(self) -> Iterator[tuple[Scope, str, str, float | None]]:
        """Yield scope, holder, name and value of each limit that is given, and of all defaults."""
        for name, value in self.default.model_dump(by_alias=True).items():
            yield "default", "", name, value
        for name, value in self.total.model_dump(by_alias=True).items():
            yield "total", "", name, value
        holders: tuple[tuple[Scope, Mapping[str, LimitValues]], ...] = (("group", self.groups), ("user", self.users))
        for scope, values in holders:
            for holder, given in values.items():
                for name, value in given.model_dump(by_alias=True, exclude_unset=True).items():
                    yield scope, holder, name, value


def read_limits_file(path: Path | None) -> LimitsFile:
    """Return what a file says; None: the limits to start with. Raises LimitsFileError with file and line."""
    if path is None:
        return LimitsFile()
    try:
        return Document(read_text(path), str(path), limit=MAX_LIMITS_BYTES).read(LimitsFile)
    except FileNotFoundError:
        raise LimitsFileError(f"{path}: there is no such file") from None
