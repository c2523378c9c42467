"""A PipelineRun (charts/dppctl/crds/pipelineruns.yaml): `spec` is what is asked for, `status` what became of it.

A spec does not change after its creation, but for `stop`. Nobody decides by the status: which pod has which run stands
in the pod's labels (state.py).
"""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic.alias_generators import to_camel

from bot.limits import MAX_PIPELINES
from cluster.operator.pool_names import pool_of_image

GROUP, VERSION, PLURAL, KIND = "dppctl.io", "v1alpha1", "pipelineruns", "PipelineRun"

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]  # of an object of Kubernetes
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]  # SHA-256
PipelineId = Annotated[str, StringConstraints(min_length=1, max_length=253)]


class Phase(StrEnum):
    """Where a run is."""

    PENDING = "Pending"
    ASSIGNED = "Assigned"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    STOPPED = "Stopped"
    LOST = "Lost"  # its worker is gone, and how far it came is not known; it is never run again by itself

    @property
    def has_ended(self) -> bool:
        """Return whether nothing comes after it."""
        return self in (Phase.SUCCEEDED, Phase.FAILED, Phase.STOPPED, Phase.LOST)


class Reason(StrEnum):
    """Why a run is in its phase."""

    QUEUED = "Queued"
    POOL_EMPTY = "PoolEmpty"
    INVALID = "Invalid"
    PIPELINE_FAILED = "PipelineFailed"
    OUT_OF_MEMORY = "OutOfMemory"
    TIME_LIMIT = "TimeLimit"
    USAGE_LIMIT = "UsageLimit"
    USER_STOP = "UserStop"
    WORKER_GONE = "WorkerGone"
    HANDOVER_FAILED = "HandoverFailed"
    PENDING_TIMEOUT = "PendingTimeout"
    POOL_FAILED = "PoolFailed"
    PUBLISH_FAILED = "PublishFailed"


class _RunPart(BaseModel):
    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True, extra="ignore")


class Workload(_RunPart):
    """A tar.gz of the workload's files."""

    sha256: Digest
    bytes: int = Field(ge=0)


class Stop(_RunPart):
    """That a run is to end; the one thing of a spec that is added later."""

    requested: bool = False
    reason: Literal["UserStop", "UsageLimit", "TimeLimit"] = "UserStop"
    by: str = ""
    message: str = ""  # why, for people


class PublishLimit(_RunPart):
    """How much a run may publish, which the proxy finds out."""

    bytes: int = Field(ge=0)
    message: str = ""  # which limit it is, and when it is another one
    day_bytes: int | None = Field(None, ge=0)  # in 24 hours, with all else of its user; None: that is not counted


class RunSpec(_RunPart):
    """What is asked for."""

    pipelines: Annotated[tuple[PipelineId, ...], Field(min_length=1, max_length=MAX_PIPELINES)]
    workload: Workload | None = None  # None: the files of the worker's image
    image: str = ""  # its pool is then that of this image, which the operator makes when there is none
    pool: Name = "default"
    database: Literal["none", "postgres"] = "none"
    publish: Literal["auto", "none", "relay"] = "auto"  # auto: in the cluster's storage, if it has one
    publish_limit: PublishLimit | None = None
    user: str = ""  # `PROVIDER:ID`, which only the proxy writes
    concurrency: Annotated[int, Field(ge=1, le=64)] = 1
    timeout_seconds: Annotated[int, Field(ge=1)] = 3600  # from the assignment of a worker
    pending_seconds: Annotated[int, Field(ge=1)] = 3600  # from the creation to that
    keep_seconds: Annotated[int, Field(ge=0)] = 3600  # that its database stays
    ttl_seconds_after_finished: Annotated[int, Field(ge=0)] = 86_400
    stop: Stop = Stop()

    @model_validator(mode="before")
    @classmethod
    def _name_pool(cls, given: Any) -> Any:
        image = given.get("image") if isinstance(given, dict) else None
        return {**given, "pool": pool_of_image(image)} if isinstance(image, str) and image else given
