"""Environments that are held: nothing is deployed there automatically."""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import select

from bot.database import Database, upsert
from bot.store.tables import Hold
from bot.store.totals import count_change


class Holds:
    """At most one hold for each environment of an app."""

    def __init__(self, database: Database) -> None:
        """Keep holds in `database`."""
        self._database = database

    def set(
        self,
        app: str,
        environment: str,
        reason: str,
        instead_of: tuple[str, str] | None = None,
        ops_commit: str | None = None,
        *,
        by: str | None = None,
        login: str | None = None,
        until: datetime | None = None,
        request: int | None = None,
    ) -> None:
        """Hold an environment until `release`, instead of an earlier hold.

        `instead_of` (a ref, the tree of its files): the bot ends the hold when it would deploy something else than
        that. `ops_commit`: it is held for this change by others, and ended by the bot when that is over. `until`: then
        it ends. by, login, request: who asked for it, and by which request.
        """
        ref, tree = instead_of or (None, None)
        changes = {
            "reason": reason,
            "since": datetime.now(UTC),
            "until_ref": ref,
            "until_tree": tree,
            "ops_commit": ops_commit,
            "by": by,
            "login": login,
            "until": until,
            "request_id": request,
        }
        with self._database.write() as session:
            upsert(session, Hold, {"app": app, "environment": environment}, changes)
            count_change(session)

    def release(self, app: str, environment: str) -> bool:
        """End a hold. Return False when the environment is not held."""
        with self._database.write() as session:
            found = session.get(Hold, (app, environment))
            if found:
                session.delete(found)
                session.flush()
                count_change(session)
            return found is not None

    def all(self) -> Sequence[Hold]:
        """Return all holds, sorted by app and environment."""
        with self._database.read() as session:
            return session.scalars(select(Hold).order_by(Hold.app, Hold.environment)).all()
