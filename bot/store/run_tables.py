"""The tables of what data came out of each run, and of what each environment has now."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Double, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from bot.store.tables import Base


class EndedRun(Base):
    """A run that ended in an environment: of a deployment, or of one pipeline by the clock."""

    __tablename__ = "runs"
    __table_args__ = (Index("ix_runs_place", "app", "environment", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    deployment_id: Mapped[int] = mapped_column(ForeignKey("deployments.id"), index=True)
    app: Mapped[str]
    environment: Mapped[str]
    is_scheduled: Mapped[bool]  # by the clock
    status: Mapped[str]  # a receipt's: succeeded, failed, stopped
    ended: Mapped[datetime] = mapped_column(index=True)
    seconds: Mapped[float | None] = mapped_column(Double)
    rows: Mapped[int | None] = mapped_column(BigInteger)
    bytes: Mapped[int | None] = mapped_column(BigInteger)
    summary: Mapped[str | None]  # what changed, or the first line of why it failed


class RunResult(Base):
    """What one pipeline of a run made, or one resource of it."""

    __tablename__ = "run_results"

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id"), index=True)
    pipeline: Mapped[str]
    resource: Mapped[str]  # "": the pipeline as a whole
    status: Mapped[str]  # the pipeline's
    rows: Mapped[int | None] = mapped_column(BigInteger)
    bytes: Mapped[int | None] = mapped_column(BigInteger)  # only of the pipeline, as its seconds and hash
    seconds: Mapped[float | None] = mapped_column(Double)
    hash: Mapped[str | None]


class CurrentData(Base):
    """What data an environment has now: that of its last run that succeeded, or of the one that it went back to.

    A run by the clock replaces the pipelines that it ran, and leaves the others.
    """

    __tablename__ = "current_data"

    app: Mapped[str] = mapped_column(primary_key=True)
    environment: Mapped[str] = mapped_column(primary_key=True)
    deployment_id: Mapped[int] = mapped_column(ForeignKey("deployments.id"))
    since: Mapped[datetime]
    receipt: Mapped[dict[str, Any]]  # with all pipelines
