"""The tables of the store.

Each change to them is a migration in `bot/store/migrations/versions`; a test compares the two.
"""

from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

from sqlalchemy import JSON, BigInteger, Double, ForeignKey, Index, Text, false
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from bot.database import DatabaseSchema, UtcTime

SCHEMA = DatabaseSchema(Path(__file__).parent / "migrations", revision="r0017")

DeliveryState = Literal["received", "ignored", "processed", "failed"]
State = Literal[
    "building",
    "waiting",
    "running",
    "succeeded",
    "failed",
    "refused",
    "superseded",
    "cancelled",
    "skipped",
    "resolved",
]
RequestState = Literal["waiting", "done", "refused", "failed"]
OPEN = frozenset({"building", "waiting", "running"})
ENDED = frozenset(get_args(State)) - OPEN


class Base(DeclarativeBase):
    """What all tables share."""

    type_annotation_map: ClassVar[dict[Any, Any]] = {datetime: UtcTime, dict[str, Any]: JSON, str: Text}


class Delivery(Base):
    """A webhook delivery, and what the bot did about it."""

    __tablename__ = "deliveries"

    id: Mapped[str] = mapped_column(primary_key=True)  # GitHub's X-GitHub-Delivery
    event: Mapped[str]
    repository: Mapped[str | None]
    ref: Mapped[str | None]
    before: Mapped[str | None]
    after: Mapped[str | None]
    status: Mapped[dict[str, Any] | None]  # of a `status` event, what it says: context, state, description
    state: Mapped[str] = mapped_column(index=True)  # a DeliveryState
    reason: Mapped[str | None]
    received: Mapped[datetime] = mapped_column(index=True)
    finished: Mapped[datetime | None]


class Deployment(Base):
    """One commit of one app for one environment, from its build, ops commit or refusal to the end."""

    __tablename__ = "deployments"
    __table_args__ = (
        Index("ix_deployments_place", "app", "environment"),
        Index("ix_deployments_place_state", "app", "environment", "state"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    app: Mapped[str]
    environment: Mapped[str]  # "": the whole .dppctl.yaml was refused
    ref: Mapped[str]
    commit: Mapped[str]
    ops_commit: Mapped[str | None]  # None: nothing was written
    values_digest: Mapped[str | None]  # of the values file that the bot wrote; None: not known
    state: Mapped[str] = mapped_column(index=True)  # a State
    error: Mapped[str | None]
    receipt: Mapped[dict[str, Any] | None]
    change: Mapped[dict[str, Any] | None]  # a DataChange, of one that succeeded
    summary: Mapped[str | None]  # the same in a line, for people
    counted_rows: Mapped[int | None] = mapped_column(BigInteger)  # the receipt's, of all pipelines, delivered or not
    tree: Mapped[str | None]  # the id that git gives to the app's files at the commit; None: not known
    gate: Mapped[str | None]  # the environment that it waits for: there these files are to run well first
    subject: Mapped[str | None]  # the first line of the commit's message
    author: Mapped[str | None]  # the commit's
    created: Mapped[datetime]
    changed: Mapped[datetime] = mapped_column(index=True)
    # The ops commit, which is for one app and environment only; or what is built, refused or skipped, hashed.
    key: Mapped[str] = mapped_column(unique=True)
    act: Mapped[str | None]  # an Act of bot.model.acts; None: a push, or the bot found something to do
    by: Mapped[str | None]  # PROVIDER:SUBJECT, who asked for it
    login: Mapped[str | None]  # the same, for people
    reason: Mapped[str | None]  # their message
    request_id: Mapped[int | None] = mapped_column(index=True)  # of deploy_requests
    origin_id: Mapped[int | None]  # the deployment whose values these are, for rollback and cancel
    kept: Mapped[bool] = mapped_column(default=False, server_default=false())  # sync has its release still
    cancelled_by: Mapped[int | None]  # the request that cancelled it
    log_size: Mapped[int] = mapped_column(default=0)
    log_dropped: Mapped[int] = mapped_column(default=0)
    events: Mapped[list["DeploymentEvent"]] = relationship(order_by="DeploymentEvent.id", lazy="raise")

    @property
    def rows(self) -> int | None:
        """Return the rows that were delivered, of all pipelines; None: nothing was, though some may be counted."""
        return self.counted_rows if self.state == "succeeded" else None

    @property
    def ended(self) -> bool:
        """Return whether it is over, so that nothing changes it any more."""
        return self.state in ENDED


class DeploymentEvent(Base):
    """One step in a deployment's life."""

    __tablename__ = "deployment_events"

    id: Mapped[int] = mapped_column(primary_key=True)
    deployment_id: Mapped[int] = mapped_column(ForeignKey("deployments.id"), index=True)
    time: Mapped[datetime]
    phase: Mapped[str]
    message: Mapped[str]
    receipt: Mapped[dict[str, Any] | None]  # of a scheduled run


class LogChunk(Base):
    """Some lines of a deployment's log."""

    __tablename__ = "log_chunks"

    id: Mapped[int] = mapped_column(primary_key=True)
    deployment_id: Mapped[int] = mapped_column(ForeignKey("deployments.id"), index=True)
    text: Mapped[str]


class BuiltImage(Base):
    """What was built from an app's files and what else goes into an image: the same gets the same, wherever it runs."""

    __tablename__ = "images"

    app: Mapped[str] = mapped_column(primary_key=True)
    tag: Mapped[str] = mapped_column(primary_key=True)  # the image's, or it and the request to build that anew
    image: Mapped[str]  # HOST/NAME@sha256:…
    built: Mapped[datetime]


class Hold(Base):
    """An environment that is not deployed automatically."""

    __tablename__ = "holds"

    app: Mapped[str] = mapped_column(primary_key=True)
    environment: Mapped[str] = mapped_column(primary_key=True)
    reason: Mapped[str]
    since: Mapped[datetime]
    by: Mapped[str | None]  # PROVIDER:SUBJECT, who asked for it; None: nobody, or it is not known
    login: Mapped[str | None]  # the same, for people; of a change by others the author of the ops commit
    until: Mapped[datetime | None]  # then it ends by itself
    request_id: Mapped[int | None]  # of deploy_requests, that it was made for
    # Set when another ref was deployed by hand: what would have been deployed then, and the tree of its files.
    # The hold ends by itself when that is something else. None: until a person releases it.
    until_ref: Mapped[str | None]
    until_tree: Mapped[str | None]
    # Set when somebody else than the bot changed what the environment has: the ops commit that did. It ends when the
    # bot's own word stands there again.
    ops_commit: Mapped[str | None]


class DeployRequest(Base):
    """What somebody asks the bot to do (`dppctl deploy`, `rollback` …), which it takes as it takes a delivery."""

    __tablename__ = "deploy_requests"

    id: Mapped[int] = mapped_column(primary_key=True)
    app: Mapped[str]
    environment: Mapped[str]
    act: Mapped[str] = mapped_column(default="deploy", server_default="deploy")  # an Act of bot.model.acts
    by: Mapped[str] = mapped_column(default="", server_default="")  # PROVIDER:SUBJECT, who asks
    login: Mapped[str | None]  # the same, for people
    reason: Mapped[str] = mapped_column(default="", server_default="")  # their message
    ref: Mapped[str | None]  # what to deploy
    rebuild: Mapped[bool] = mapped_column(default=False)
    accept: Mapped[bool] = mapped_column(default=False, server_default=false())  # the data as it is, once
    from_environment: Mapped[str | None]  # of promote
    to_deployment: Mapped[int | None]  # of rollback, promote; None: what ran before, or runs
    deployment: Mapped[int | None]  # that is to be cancelled or tried again
    until: Mapped[datetime | None]  # of hold
    run: Mapped[bool] = mapped_column(default=False, server_default=false())  # of rollback: run it anew
    form: Mapped[str | None] = mapped_column(index=True, unique=True)  # on a page, that was sent
    state: Mapped[str] = mapped_column(index=True)  # a RequestState
    message: Mapped[str]
    deployment_id: Mapped[int | None] = mapped_column(ForeignKey("deployments.id"))
    created: Mapped[datetime]


class Notice(Base):
    """What GitHub was notified of about a deployment."""

    __tablename__ = "github_notes"

    deployment_id: Mapped[int] = mapped_column(ForeignKey("deployments.id"), primary_key=True)
    github_id: Mapped[int | None] = mapped_column(BigInteger)  # of GitHub's deployment, once there is one
    state: Mapped[str | None]  # of GitHub's deployment
    status: Mapped[str | None]  # of the commit, with its description
    # The deployment's, when GitHub knew all of it. Both, as some clocks count in seconds.
    changed: Mapped[datetime | None]
    seen: Mapped[str | None]


class SeenTag(Base):
    """When a tag appeared at its commit. Tags that are seen at the same time have the same time."""

    __tablename__ = "tags_seen"

    repository: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)  # refs/tags/…
    commit: Mapped[str]  # where it is, or was seen last
    appeared: Mapped[datetime]
    gone: Mapped[datetime | None]  # since when it is not there


class SeenApp(Base):
    """An app that was seen, so that the tags that it had then are its baseline."""

    __tablename__ = "apps_seen"

    app: Mapped[str] = mapped_column(primary_key=True)


class BaselineTag(Base):
    """A tag that an app had when it was first seen, and that has not moved since."""

    __tablename__ = "baseline_tags"

    app: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)  # refs/tags/…
    commit: Mapped[str]


class SettledApp(Base):
    """An app for which there was nothing to do, and a fingerprint (hex) of all that was looked at then."""

    __tablename__ = "apps_settled"

    app: Mapped[str] = mapped_column(primary_key=True)  # with the ops repo: APP in OPS-REPO
    fingerprint: Mapped[str]


class DeployedSchedule(Base):
    """The pipelines of what an environment has that run by the clock."""

    __tablename__ = "deployed_schedules"

    app: Mapped[str] = mapped_column(primary_key=True)
    environment: Mapped[str] = mapped_column(primary_key=True)
    pipelines: Mapped[list[dict[str, str]]] = mapped_column(JSON)  # of bot.model.next_runs


class Bot(Base):
    """A bot that is alive; not with SQLite, where there is one."""

    __tablename__ = "bots"

    id: Mapped[str] = mapped_column(primary_key=True)  # another one at each start
    until: Mapped[float] = mapped_column(Double)  # unix time, by the database's clock; then others take its leases


class OpsLease(Base):
    """An ops repo (OWNER/REPO), which one bot works at."""

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(primary_key=True)
    bot: Mapped[str]


class Total(Base):
    """A number that only grows, such as how often git was called."""

    __tablename__ = "totals"

    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[float] = mapped_column(Double)
