"""What the usage server takes and answers, as JSON. Names are written in camel case."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from bot.usage_events import UsageEvent
from cluster.limits import MAX_EVENTS_AT_ONCE

_Text = Annotated[str, Field(min_length=1, max_length=300, pattern=r"^[^\x00-\x1f\x7f]+$")]


class _UsageShape(BaseModel):
    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True, extra="ignore")


class ReservationRequest(_UsageShape):
    """`POST /usage/reservations`."""

    run: _Text
    user: _Text
    groups: Annotated[tuple[_Text, ...], Field(max_length=1000)] = ()
    ip: str = ""
    database: bool = False
    timeout_seconds: Annotated[int, Field(ge=1)]
    workload_bytes: Annotated[int, Field(ge=0)] = 0
    publishes: bool = True


class PublishAllowance(_UsageShape):
    """How much somebody may publish now."""

    bytes: Annotated[int, Field(ge=0)]  # that are left
    allowed: float  # in 24 hours
    resets_at: datetime | None = None  # when some of it is free again, if something is used

    @property
    def message(self) -> str:
        """Return it in words."""
        again = f"; some of it is free again at {self.resets_at:%Y-%m-%d %H:%M} UTC" if self.resets_at else ""
        return f"limit publishedBytes: {self.bytes:,} of {self.allowed:,.0f} bytes in 24 hours are left{again}"


class ReservationAnswer(_UsageShape):
    """An open reservation, and how long the run may take."""

    id: str
    timeout_seconds: int
    publish: PublishAllowance | None = None  # null: any number of bytes


class LimitProblem(_UsageShape):
    """Why somebody gets nothing; `limit` and what follows it only with the code `limit`."""

    error: str
    code: str  # limit | banned | …, a word for programs
    limit: str | None = None
    used: float | None = None
    allowed: float | None = None
    resets_at: datetime | None = None
    hint: str = ""


class EventBatch(_UsageShape):
    """`POST /usage/events`."""

    events: Annotated[tuple[UsageEvent, ...], Field(max_length=MAX_EVENTS_AT_ONCE)]


class AllowanceAnswer(_UsageShape):
    """`GET /usage/limits`: what the proxy itself keeps somebody to; null: no limit."""

    calls_per_minute: float | None = None
    upload_bytes: float | None = None
    ssh_seconds: float | None = None
    publish: PublishAllowance | None = None
    banned: str = ""


class RunRecord(_UsageShape):
    """What a run used."""

    run: str
    user: str
    created: datetime
    started: datetime | None
    ended: datetime | None
    outcome: str
    worker_seconds: float
    database_seconds: float
    rows: int
    bytes_in: int
    bytes_published: int


class LimitState(_UsageShape):
    """How much of a limit is used."""

    name: str
    unit: str
    used: float
    allowed: float | None  # null: no limit


class UsageReport(_UsageShape):
    """`GET /usage/report`."""

    user: str | None  # null: everybody
    since: datetime
    runs: tuple[RunRecord, ...]  # the newest first
    limits: tuple[LimitState, ...] = ()  # of the user
    more: bool = False  # there were more runs, older ones
