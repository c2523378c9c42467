"""What the proxy's API (`/v1`) takes and answers, as the proxy writes it and `dppctl` reads it.

A reader ignores fields that it does not know, so that an older `dppctl` reads a newer proxy; what is asked for is taken
whole or refused. Names are written in camel case. Times are those of Kubernetes, such as 2026-01-31T12:00:00Z.
"""

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from bot.limits import MAX_PIPELINES
from cluster.limits import MAX_PUBLISHED_BYTES, MAX_STATUS_MESSAGE, MAX_WORKLOAD_BYTES
from cluster.operator.model import Digest, Name, Phase, PipelineId

Message = Annotated[str, StringConstraints(max_length=MAX_STATUS_MESSAGE, pattern=r"^[^\x00-\x1f\x7f]*$")]
Image = Annotated[str, StringConstraints(pattern=r"^$|^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,499}$")]
MAX_RUN_SECONDS = 604_800  # a week, as the CRD has it


def _is_none(given: object) -> bool:
    return given is None


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True, extra="ignore")


class _Request(_Shape):
    model_config = ConfigDict(extra="forbid")


class ApiProblem(_Shape):
    """Any answer from 400 on."""

    error: str  # one line
    code: str  # a word, for programs
    hint: str = ""  # what to do
    # Of a limit that is reached: its name, how much of what is allowed is used, and when some of it is free again.
    limit: Annotated[str | None, Field(exclude_if=_is_none)] = None
    used: Annotated[float | None, Field(exclude_if=_is_none)] = None
    allowed: Annotated[float | None, Field(exclude_if=_is_none)] = None
    resets_at: Annotated[AwareDatetime | None, Field(exclude_if=_is_none)] = None

    @property
    def may_pass(self) -> bool:
        """Return whether a moment later the answer may be another one: a limit of what one has at a time stays."""
        return self.limit in (None, "callsPerMinute")


class PoolInfo(_Shape):
    """A pool that runs may name."""

    name: str
    waiting: int  # workers that wait for a run now
    mode: str  # ephemeral | persistent


class ClusterLimits(_Shape):
    """What the proxy takes."""

    workload_bytes: int = MAX_WORKLOAD_BYTES


class StorageInfo(_Shape):
    """Where what runs write is published."""

    url: str  # under which people see it


class ClusterInfo(_Shape):
    """`GET /v1/cluster`."""

    name: str
    version: str
    public: bool = False
    user: str  # whose token it is: PROVIDER:SUBJECT
    login: str = ""  # the same for people
    scopes: tuple[str, ...]
    pools: tuple[PoolInfo, ...]
    limits: ClusterLimits = ClusterLimits()
    storage: StorageInfo | None = None  # null: what runs write is published nowhere


class LoginInfo(_Shape):
    """`GET /v1/login`, which needs no token: how people log in here."""

    mode: Literal["token", "oauth"] = "token"  # token: whoever runs the cluster makes one; oauth: in a browser
    url: str = ""  # of the auth server, https://HOST/auth; "": there is none
    public: bool = False  # whoever logs in may run pipelines here, and all people see what those publish


class WorkloadReference(_Request):
    """A workload that was uploaded."""

    sha256: Digest
    bytes: int = Field(ge=0, le=MAX_WORKLOAD_BYTES)


class RunRequest(_Request):
    """`POST /v1/runs`."""

    pipelines: Annotated[tuple[PipelineId, ...], Field(min_length=1, max_length=MAX_PIPELINES)]
    workload: WorkloadReference
    pool: Name = "default"
    image: Image = ""  # none: the pool's own
    database: Literal["none", "postgres"] = "none"
    concurrency: Annotated[int, Field(ge=1, le=64)] = 1
    timeout_seconds: Annotated[int, Field(ge=1, le=MAX_RUN_SECONDS)] = 3600
    keep_seconds: Annotated[int, Field(ge=0, le=MAX_RUN_SECONDS)] = 3600
    # auto: in the cluster's storage, if it has one; relay: kept for an hour, for `GET /v1/runs/NAME/publication`
    publish: Literal["auto", "none", "relay"] = "auto"


class StopRequest(_Request):
    """`POST /v1/runs/NAME/stop`; the body may be left out."""

    reason: Literal["UserStop", "UsageLimit"] = "UserStop"  # the second one is the usage server's
    message: Message = ""  # for people


class NoticeRequest(_Request):
    """`POST /v1/runs/NAME/notice`."""

    message: Message


class PodName(_Shape):
    """A pod that a run has."""

    name: str


class RunInfo(_Shape):
    """A run: the answer to `POST /v1/runs`, `GET /v1/runs/NAME`, and in `RunList`."""

    name: str
    uid: str
    user: str
    phase: Phase
    reason: str | None = None
    message: str | None = None
    pipelines: tuple[str, ...]
    pool: str
    worker: PodName | None = None
    database: PodName | None = None
    rows: int | None = None
    published_bytes: int | None = None
    created: str
    assigned: str | None = None  # when a worker was given to it
    started: str | None = None
    finished: str | None = None
    database_until: str | None = None  # when its database is removed, once that is known
    reservation: str | None = None  # of the usage server
    workload_bytes: int = 0
    timeout_seconds: int | None = None  # that it may take, which may be less than what was asked for
    stopping: bool = False  # its end has been asked for


class RunList(_Shape):
    """`GET /v1/runs`, the newest first."""

    runs: tuple[RunInfo, ...]


class RunEvent(_Shape):
    """A line of `GET /v1/runs/NAME/events` whose `event` is `run`; the others are the worker's own."""

    event: Literal["run"] = "run"
    phase: Phase
    reason: str | None = None
    message: str | None = None
    queue_position: int | None = None
    worker: PodName | None = None
    database: PodName | None = None
    rows: int | None = None
    notice: str | None = None


class DatabaseAccess(_Shape):
    """`GET /v1/runs/NAME/database`."""

    host: str
    port: int
    user: str
    password: str = Field(repr=False)
    database: str
    ui: str


class PodInfo(_Shape):
    """A pod of a pool."""

    name: str
    kind: Literal["worker", "database"]
    pool: str
    state: Literal["starting", "available", "assigned"]
    run: str | None = None  # its name
    since: str


class PodList(_Shape):
    """`GET /v1/pods`."""

    pods: tuple[PodInfo, ...]


class PublishRequest(_Request):
    """`POST /v1/publications`: what was written elsewhere is to be published here."""

    name: Name  # what its address begins with, such as that of the worker that wrote it
    bytes: int = Field(ge=1, le=MAX_PUBLISHED_BYTES)  # of all files


class PublishGrant(_Shape):
    """The answer: where a tar may be put, once."""

    uid: str
    prefix: str
    token: str = Field(repr=False)  # the bearer of `PUT /v1/publications/UID`
    expires: AwareDatetime
    limit_bytes: int
    url: str  # under which it will be seen


class PublishedItem(_Shape):
    """A data package or a site that is published."""

    kind: Literal["data package", "site"]
    source: str
    url: str


class PublishedFiles(_Shape):
    """The answer to `PUT /v1/publications/UID`."""

    items: tuple[PublishedItem, ...]
    bytes: int
