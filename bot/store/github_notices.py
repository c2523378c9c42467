"""The part of the store that keeps what GitHub was told, so that it is told the rest after a restart."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import aliased

from bot.store.database import Database
from bot.store.tables import Deployment, Notice


@dataclass(frozen=True)
class Untold:
    """A deployment that GitHub may have to be told of."""

    deployment: Deployment
    note: Notice
    is_replaced: bool  # it succeeded, and a newer one for its environment did too


class GitHubNotices(Database):
    """Notes of what GitHub was told."""

    def untold(self, since: datetime) -> list[Untold]:
        """What changed after GitHub was told last, the oldest deployment first; what changed before `since` is dropped.

        Besides those, whenever it was: what GitHub shows as running though another one does now.
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
        stale = (Notice.state == "success") & (Deployment.id < running)
        wanted = (
            select(Deployment, Notice, running)
            .outerjoin(Notice, Notice.deployment_id == Deployment.id)
            .where(fresh | stale)
            .order_by(Deployment.id)
        )
        with self._reads() as session:
            return [
                Untold(one, note or Notice(deployment_id=one.id), one.state == "succeeded" and one.id < newest)
                for one, note, newest in session.execute(wanted)
            ]

    def note_told(self, deployment_id: int, **what: Any) -> None:
        """GitHub was told this: fields of GitHubNote."""
        insert = self._insert(Notice).values(deployment_id=deployment_id, **what)
        with self._writes() as session:
            session.connection().execute(insert.on_conflict_do_update(index_elements=["deployment_id"], set_=what))
