"""What sync reports to `POST /sync/events`: how far a deployment is, and in the end its receipt."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from bot.model.names import Environment
from bot.model.values import Source

# `queued`: it does not run now, the message says why; it is tried again by itself.
# `scheduled`: a pipeline ran by the clock, on what is deployed; the deployment's own state stays.
Phase = Literal["queued", "started", "progress", "succeeded", "failed", "superseded", "scheduled"]

_Text = Annotated[str, Field(max_length=20_000, pattern=r"^[^\x00]*$")]
_Commit = Annotated[str, Field(pattern=r"^[0-9a-f]{40,64}$")]


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True)


class PipelineResult(_Message):
    """A pipeline's part of a receipt (`worker` writes it)."""

    id: _Text
    status: Literal["succeeded", "failed", "stopped"]
    rows: int | None = None
    bytes: int | None = None
    hash: _Text | None = None
    seconds: float | None = None
    resources: list[dict[str, Any]] = []
    stats: dict[str, Any] = {}
    error: _Text | None = None


class Receipt(_Message):
    """What a run leaves: its pipelines, what they made, and from what."""

    status: Literal["succeeded", "failed", "stopped"]
    pipelines: list[PipelineResult]
    source: Source | None = None
    image: str | None = None
    started: AwareDatetime
    ended: AwareDatetime

    @property
    def rows(self) -> int:
        """Return the rows of all pipelines together."""
        return sum(pipeline.rows or 0 for pipeline in self.pipelines)


class SyncEvent(_Message):
    """A report about the deployment that the commit in the ops repo made."""

    ops_commit: _Commit
    app: _Text
    environment: Environment
    ref: _Text
    commit: _Commit
    phase: Phase
    time: datetime
    message: _Text = ""  # for people; with `failed`, why
    log: Annotated[str, Field(max_length=200_000, pattern=r"^[^\x00]*$")] = ""  # lines since the event before
    receipt: Receipt | None = None
