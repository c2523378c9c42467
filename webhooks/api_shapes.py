"""What the API answers, as pydantic models: `webhooks.openapi` describes them, `webhooks.api` fills them."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from bot.model.data_change import DataChange
from bot.store.tables import State

RunStatus = Literal["succeeded", "failed", "stopped"]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, from_attributes=True)


class DeploymentEntry(_Answer):
    """A deployment: one commit of one app for one environment."""

    id: int
    url: str = Field(description="Its page.")
    app: str = Field(description="OWNER/REPO, or OWNER/REPO/PATH.")
    environment: str = Field(description="Empty when the whole .dppctl.yaml was refused.")
    state: State
    ref: str = Field(description="refs/heads/… or refs/tags/…")
    commit: str
    subject: str | None = Field(description="The first line of the commit's message.")
    author: str | None = Field(description="The commit's.")
    gate: str | None = Field(description="The environment that it waits for.")
    summary: str | None = Field(description="What came out and what changed in it, in a line for people.")
    rows: int | None = Field(description="Rows that were delivered; null: none were.")
    error: str | None = Field(description="Why it did not succeed.")
    act: str | None = Field(description="What somebody asked for (deploy, rollback, promote …); null: a push did it.")
    by: str | None = Field(description="Who asked for it.")
    reason: str | None = Field(description="What they said to it.")
    kept: bool = Field(description="Whether its data is kept, so that it can be gone back to in a moment.")
    created: datetime
    changed: datetime = Field(description="When something happened to it last, such as a run by the clock.")


class DeploymentStep(_Answer):
    """A step in a deployment's life."""

    time: datetime
    phase: str
    message: str


class DeploymentDetail(DeploymentEntry):
    """A deployment with what happened to it, what came out, and what changed."""

    ops_commit: str | None = Field(description="The ops repo's commit that it was made by.")
    change: DataChange | None = Field(description="What changed in the data, resource by resource.")
    receipt: dict[str, Any] | None = Field(description="What its run left: docs/architecture.md#receipt.")
    steps: tuple[DeploymentStep, ...]


class DeploymentList(_Answer):
    """A page of deployments, newest first."""

    deployments: tuple[DeploymentEntry, ...]
    page: int = Field(ge=1)
    size: int = Field(ge=1, description="Deployments on a full page.")
    total: int = Field(ge=0, description="Of all pages.")
    next: str | None = Field(description="The address of the next page, with older ones; null: this is the last.")


class HoldEntry(_Answer):
    """An environment is not deployed automatically."""

    reason: str
    since: datetime
    by: str | None
    until: datetime | None = Field(description="Then it ends by itself; null: when somebody releases it.")


class NextRunEntry(_Answer):
    """When a pipeline runs next by the clock."""

    pipeline: str
    schedule: str = Field(description="A crontab line.")
    time_zone: str = Field(description="Of the crontab line, such as Europe/Vienna.")
    time: datetime


class EnvironmentEntry(_Answer):
    """An environment of an app. A preview is a branch's own."""

    app: str
    environment: str
    url: str = Field(description="Its page.")
    history: str = Field(description="Its runs as JSON; with .csv in place of .json as CSV.")
    is_preview: bool
    running: DeploymentEntry | None = Field(description="The newest deployment that succeeded: its data is there.")
    newest: DeploymentEntry | None = Field(description="The newest deployment, however it went.")
    hold: HoldEntry | None
    next_runs: tuple[NextRunEntry, ...] = Field(description="What runs by the clock, the first to come first.")


class EnvironmentList(_Answer):
    """All environments that apps.yaml registers, and the previews that are there; by app, as deployments go."""

    environments: tuple[EnvironmentEntry, ...]


class RunEntry(_Answer):
    """A run that ended, and what it made."""

    deployment: int
    is_scheduled: bool = Field(description="Whether it ran by the clock.")
    status: RunStatus
    ended: datetime
    seconds: float | None
    rows: int | None
    bytes: int | None
    summary: str | None = Field(description="What changed, or the first line of why it failed.")


class SeriesPoint(_Answer):
    """What one run made of a pipeline or of a resource."""

    deployment: int
    is_scheduled: bool
    ended: datetime
    status: RunStatus
    rows: int | None
    bytes: int | None = Field(description="Of pipelines only.")
    seconds: float | None = Field(description="Of pipelines only.")


class ResourceSeries(_Answer):
    """What the runs made of a pipeline, or of one of its resources; the oldest first."""

    pipeline: str
    resource: str = Field(description="Empty: the pipeline as a whole.")
    points: tuple[SeriesPoint, ...]


class EnvironmentHistory(_Answer):
    """The last runs of an environment, at most 400 and a year; the newest first."""

    app: str
    environment: str
    runs: tuple[RunEntry, ...]
    series: tuple[ResourceSeries, ...]


class ProblemAnswer(_Answer):
    """Why there is no other answer."""

    error: str
