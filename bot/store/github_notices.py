"""What GitHub was notified of, so that it gets the rest after a restart."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import exists, func, select
from sqlalchemy.orm import aliased

from bot.database import Database, upsert
from bot.store.preview_tables import Preview
from bot.store.tables import Deployment, Notice


@dataclass(frozen=True)
class PendingNotice:
    """A deployment that GitHub may have to be notified of."""

    deployment: Deployment
    notice: Notice  # what GitHub knows of it already
    is_replaced: bool  # it succeeded, and a newer deployment for its environment did too, or its preview is gone


class Notices:
    """What GitHub knows of each deployment."""

    def __init__(self, database: Database) -> None:
        """Keep notices in `database`."""
        self._database = database

    def pending(self, since: datetime) -> list[PendingNotice]:
        """Return the deployments that changed after GitHub was notified last, the oldest first.

        Changes before `since` are dropped. Besides those, whenever it was: the deployments that GitHub shows as
        running though another one does now, or though its preview is gone.
        """
        newer = aliased(Deployment)
        running = (
            select(func.max(newer.id))
            .where(newer.app == Deployment.app, newer.environment == Deployment.environment)
            .where(newer.state == "succeeded")
            .correlate(Deployment)
            .scalar_subquery()
        )
        other = Notice.changed.is_distinct_from(Deployment.changed) | Notice.seen.is_distinct_from(Deployment.state)
        fresh = (Deployment.changed >= since) & other
        is_gone = exists().where(
            Preview.app == Deployment.app, Preview.environment == Deployment.environment, Preview.gone.is_not(None)
        )
        stale = (Notice.state == "success") & ((Deployment.id < running) | is_gone)
        wanted = (
            select(Deployment, Notice, running, is_gone)
            .outerjoin(Notice, Notice.deployment_id == Deployment.id)
            .where(fresh | stale)
            .order_by(Deployment.id)
        )
        with self._database.read() as session:
            return [
                PendingNotice(
                    deployment,
                    notice or Notice(deployment_id=deployment.id),
                    deployment.state == "succeeded" and (deployment.id < newest or gone),
                )
                for deployment, notice, newest, gone in session.execute(wanted)
            ]

    def record(self, deployment_id: int, **changes: Any) -> None:
        """Record what GitHub was notified of: columns of Notice, the others stay as they are."""
        with self._database.write() as session:
            upsert(session, Notice, {"deployment_id": deployment_id}, changes)
