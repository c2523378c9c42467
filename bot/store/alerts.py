"""What people are to be told of environments, and what they were told."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Mapped, mapped_column

from bot.database import Database, upsert
from bot.model.alerts import EndedAttempt, EnvironmentNow, SentAlerts
from bot.store.run_tables import EndedRun
from bot.store.tables import Base, Deployment, Hold

_SINCE = "since"
_ENDED = ("succeeded", "failed", "refused")


class SentAlert(Base):
    """What an address was told last of an environment, of each kind."""

    __tablename__ = "alerts_told"

    address: Mapped[str] = mapped_column(primary_key=True)  # a digest of it, as it may hold a password
    app: Mapped[str] = mapped_column(primary_key=True)
    environment: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str]


class Alerts:
    """Environments as alerts see them."""

    def __init__(self, database: Database) -> None:
        """Read from, and write to, `database`."""
        self._database = database

    def now(self, app: str, environment: str) -> EnvironmentNow:
        """Return what an environment is."""
        of_place = (Deployment.app == app) & (Deployment.environment == environment)
        with self._database.read() as session:
            hold = session.get(Hold, (app, environment))
            newest = select(Deployment).where(of_place, Deployment.state != "resolved").order_by(Deployment.id.desc())
            latest = session.scalars(newest.limit(1)).first()
            deployed = session.scalars(newest.where(Deployment.state.in_(_ENDED)).limit(2)).all()
            runs = select(EndedRun).where(EndedRun.app == app, EndedRun.environment == environment)
            newest_runs = session.scalars(runs.order_by(EndedRun.id.desc()).limit(2)).all()
            fine = runs.where(EndedRun.status == "succeeded").order_by(EndedRun.id.desc()).limit(1)
            succeeded = session.scalars(fine).first()
        ended = sorted([*map(_of_deployment, deployed), *_scheduled(newest_runs)], key=lambda work: work.ended)[-2:]
        return EnvironmentNow(
            app,
            environment,
            ended=ended[-1] if ended else None,
            before=ended[-2] if len(ended) > 1 else None,
            succeeded=succeeded.ended if succeeded else None,
            held=(hold.since, hold.reason) if hold and hold.until_ref is None else None,
            waiting=(latest.id, latest.gate) if latest and latest.state == "waiting" and latest.gate else None,
        )

    def told(self, address: str, app: str, environment: str, time: datetime) -> SentAlerts:
        """Return what an address was told; from its first look on, which is noted, things are news."""
        mine = (SentAlert.address == address, SentAlert.app == app, SentAlert.environment == environment)
        with self._database.read() as session:
            keys = {found.kind: found.key for found in session.scalars(select(SentAlert).where(*mine))}
        if _SINCE not in keys:
            self.record(address, app, environment, _SINCE, time.isoformat())
            keys[_SINCE] = time.isoformat()
        return SentAlerts(datetime.fromisoformat(keys.pop(_SINCE)), keys)

    def record(self, address: str, app: str, environment: str, kind: str, key: str) -> None:
        """Note that an address was told."""
        place = {"address": address, "app": app, "environment": environment, "kind": kind}
        with self._database.write() as session:
            upsert(session, SentAlert, place, {"key": key})

    def forget(self, address: str, app: str, environment: str, kinds: Sequence[str]) -> None:
        """Forget what was told and is over."""
        mine = (SentAlert.address == address, SentAlert.app == app, SentAlert.environment == environment)
        with self._database.write() as session:
            session.execute(delete(SentAlert).where(*mine, SentAlert.kind.in_(kinds)))


def _of_deployment(found: Deployment) -> EndedAttempt:
    change: dict[str, Any] = found.change or {}
    error = (found.error or "").partition("\n")[0]
    return EndedAttempt(
        f"deployment {found.id}",
        found.id,
        found.state == "succeeded",
        found.changed,
        (found.summary or "deployed") if found.state == "succeeded" else error or found.state,
        rows_before=change.get("rows_before"),
        rows=change.get("rows"),
        columns_gone=sum(len(resource.get("removed", ())) for resource in change.get("resources", ())),
    )


def _scheduled(runs: Sequence[EndedRun]) -> list[EndedAttempt]:
    return [
        EndedAttempt(
            f"run {run.id}", run.deployment_id, run.status == "succeeded", run.ended, run.summary or run.status, True
        )
        for run in runs
        if run.is_scheduled and run.status in ("succeeded", "failed")
    ]
