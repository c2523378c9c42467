"""What the bot remembers: deliveries, deployments and what happened to each. SQLAlchemy; SQLite by default.

Nothing here decides what is deployed (git does); it is there to be shown.
"""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal

from sqlalchemy import JSON, DateTime, Dialect, ForeignKey, create_engine, event, select, update
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship, sessionmaker
from sqlalchemy.types import TypeDecorator

from bot.events import SyncEvent
from bot.reconcile import Refusal, Update

State = Literal["waiting", "running", "succeeded", "failed", "refused", "superseded"]


class _UtcTime(TypeDecorator[datetime]):
    """Times in UTC; SQLite forgets the zone and gets it back here."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return value.replace(tzinfo=UTC) if value and value.tzinfo is None else value


class _Base(DeclarativeBase):
    type_annotation_map: ClassVar[dict[Any, Any]] = {datetime: _UtcTime, dict[str, Any]: JSON}


class DeliveryRecord(_Base):
    """A webhook delivery and what became of it."""

    __tablename__ = "deliveries"

    id: Mapped[str] = mapped_column(primary_key=True)  # GitHub's X-GitHub-Delivery
    event: Mapped[str]
    repository: Mapped[str | None]
    ref: Mapped[str | None]
    before: Mapped[str | None]
    after: Mapped[str | None]
    outcome: Mapped[str]
    received: Mapped[datetime]


class Deployment(_Base):
    """One commit of one app for one environment, from the ops commit (or its refusal) to the end."""

    __tablename__ = "deployments"

    id: Mapped[int] = mapped_column(primary_key=True)
    app: Mapped[str] = mapped_column(index=True)
    environment: Mapped[str]
    ref: Mapped[str]
    commit: Mapped[str]
    ops_commit: Mapped[str | None]  # None: refused before anything was written
    state: Mapped[str]
    error: Mapped[str | None]
    receipt: Mapped[dict[str, Any] | None]
    created: Mapped[datetime]
    changed: Mapped[datetime]
    # The ops commit, which is for one app and environment only; or what was refused, hashed.
    key: Mapped[str] = mapped_column(unique=True)
    events: Mapped[list["DeploymentEvent"]] = relationship(order_by="DeploymentEvent.id", lazy="selectin")

    @property
    def rows(self) -> int | None:
        """Rows of all pipelines, when there is a receipt."""
        return None if self.receipt is None else sum(one["rows"] or 0 for one in self.receipt["pipelines"])


class DeploymentEvent(_Base):
    """One step in a deployment's life."""

    __tablename__ = "deployment_events"

    id: Mapped[int] = mapped_column(primary_key=True)
    deployment_id: Mapped[int] = mapped_column(ForeignKey("deployments.id"), index=True)
    time: Mapped[datetime]
    phase: Mapped[str]
    message: Mapped[str]


class Store:
    """The tables, behind what the bot and the receiver say. Safe to use from several threads."""

    def __init__(self, url: str) -> None:
        """Opens (and at first makes) the database at an SQLAlchemy URL."""
        self._engine = create_engine(url)
        if make_url(url).get_backend_name() == "sqlite":
            event.listen(self._engine, "connect", _use_wal)
        _Base.metadata.create_all(self._engine)
        self._session = sessionmaker(self._engine, expire_on_commit=False)

    def close(self) -> None:
        """Closes all connections."""
        self._engine.dispose()

    def record_delivery(self, record: DeliveryRecord) -> bool:
        """Remember a delivery. False when its id was seen before; then nothing changes."""
        try:
            with self._session.begin() as session:
                session.add(record)
        except IntegrityError:
            return False
        return True

    def record_update(self, update: Update, ops_commit: str) -> None:
        """The ops repo holds this update now. What waited for the same environment will not run any more."""
        target, source = update.target, update.values.source
        with self._session.begin() as session:
            deployment = _ensure(
                session, ops_commit, ops_commit, str(target.app), target.environment, source.ref, source.commit
            )
            _supersede(session, deployment)
            _log(session, deployment, _now(), "committed", f"ops repo commit {ops_commit[:12]}")

    def record_refusal(self, refusal: Refusal) -> bool:
        """Remember what may not be deployed. False when the same was refused before."""
        ref, app = refusal.ref, str(refusal.app)
        what = "\n".join([app, refusal.environment, ref.name, ref.commit, refusal.message])
        key = hashlib.sha256(what.encode()).hexdigest()
        with self._session.begin() as session:
            if session.scalar(select(Deployment).where(Deployment.key == key)):
                return False
            deployment = _ensure(session, key, None, app, refusal.environment, ref.name, ref.commit)
            deployment.state, deployment.error = "refused", refusal.message
            _log(session, deployment, _now(), "refused", refusal.message)
        return True

    def record_event(self, report: SyncEvent) -> None:
        """What sync says. An end stays the end, whatever arrives late or twice."""
        with self._session.begin() as session:
            deployment = _ensure(
                session,
                report.ops_commit,
                report.ops_commit,
                report.app,
                report.environment,
                report.ref,
                report.commit,
            )
            _log(session, deployment, report.time, report.phase, report.message)
            if report.phase in ("succeeded", "failed"):
                deployment.state = report.phase
                deployment.error = report.message if report.phase == "failed" else None
                deployment.receipt = report.receipt.model_dump(mode="json") if report.receipt else None
            elif deployment.state in ("waiting", "superseded"):
                deployment.state = "running"

    def deployments(self, limit: int = 100) -> Sequence[Deployment]:
        """The newest first, with their events."""
        with self._session() as session:
            return session.scalars(select(Deployment).order_by(Deployment.id.desc()).limit(limit)).all()

    def deliveries(self, limit: int = 100) -> Sequence[DeliveryRecord]:
        """The newest first."""
        with self._session() as session:
            return session.scalars(select(DeliveryRecord).order_by(DeliveryRecord.received.desc()).limit(limit)).all()


def _ensure(
    session: Session, key: str, ops_commit: str | None, app: str, environment: str, ref: str, commit: str
) -> Deployment:
    """The deployment with this key, made when it is new: the bot and sync may each be the first to tell of it."""
    found = select(Deployment).where(Deployment.key == key)
    if there := session.scalar(found):
        return there
    now = _now()
    deployment = Deployment(
        key=key,
        app=app,
        environment=environment,
        ref=ref,
        commit=commit,
        ops_commit=ops_commit,
        state="waiting",
        created=now,
        changed=now,
    )
    try:
        with session.begin_nested():
            session.add(deployment)
    except IntegrityError:
        return session.scalars(found).one()
    return deployment


def _supersede(session: Session, deployment: Deployment) -> None:
    older = (
        Deployment.app == deployment.app,
        Deployment.environment == deployment.environment,
        Deployment.state == "waiting",
        Deployment.id < deployment.id,
    )
    session.execute(update(Deployment).where(*older).values(state="superseded"))


def _log(session: Session, deployment: Deployment, time: datetime, phase: str, message: str) -> None:
    deployment.changed = time
    session.add(DeploymentEvent(deployment_id=deployment.id, time=time, phase=phase, message=message))


def _now() -> datetime:
    return datetime.now(UTC)


def _use_wal(connection: Any, _record: object) -> None:
    """Readers and the writer do not wait for each other: https://www.sqlite.org/wal.html"""
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA busy_timeout=10000")
    connection.execute("PRAGMA foreign_keys=ON")
