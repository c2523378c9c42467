"""What sync reports to `POST /sync/events`: how far a deployment is, and in the end its receipt."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from bot.model.name_types import Environment
from bot.model.next_runs import PipelineSchedule
from bot.model.receipt import Receipt

# `queued`: it does not run now, the message says why; it is tried again by itself.
# `scheduled`: a pipeline ran by the clock, on what is deployed; the deployment's own state stays.
Phase = Literal["queued", "started", "progress", "succeeded", "failed", "superseded", "scheduled"]

_Text = Annotated[str, Field(max_length=20_000, pattern=r"^[^\x00]*$")]
_Commit = Annotated[str, Field(pattern=r"^[0-9a-f]{40,64}$")]


class SyncEvent(BaseModel):
    """A report about the deployment that the commit in the ops repo made."""

    model_config = ConfigDict(frozen=True)

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
    # The ops commits whose releases are there to go back to, what is current among them; None: nothing is said of it.
    kept: Annotated[tuple[_Commit, ...], Field(max_length=2000)] | None = None
    # What of the environment runs by the clock from now on; None: nothing is said of it.
    schedules: Annotated[tuple[PipelineSchedule, ...], Field(max_length=2000)] | None = None
