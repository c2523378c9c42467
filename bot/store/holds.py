"""Environments that are held: nothing is deployed there automatically."""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from bot.database import Database, upsert
from bot.store.tables import DeployRequest, Hold
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
        answer: str = "",
    ) -> None:
        """Hold an environment until `release`, instead of an earlier hold.

        `instead_of` (a ref, the tree of its files): the bot ends the hold when it would deploy something else than
        that. `ops_commit`: it is held for this change by others, and ended by the bot when that is over. `until`: then
        it ends. by, login, request: who asked for it, and by which request, which is done with this `answer`.
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
            _answer(session, request, answer)
            count_change(session)

    def get(self, app: str, environment: str) -> Hold | None:
        """Return why an environment is held, or None when it is not."""
        with self._database.read() as session:
            return session.get(Hold, (app, environment))

    def is_for_change(self, app: str, environment: str) -> bool:
        """Return whether an environment is held for a change by others."""
        with self._database.read() as session:
            found = session.get(Hold, (app, environment))
            return found is not None and found.ops_commit is not None

    def over(self, now: datetime) -> Sequence[Hold]:
        """Return the holds whose time is over."""
        with self._database.read() as session:
            return session.scalars(select(Hold).where(Hold.until <= now).order_by(Hold.app)).all()

    def release(self, app: str, environment: str, *, request: int | None = None, answer: str = "") -> bool:
        """End a hold. Return False when the environment is not held. `request`: it is done with this `answer`."""
        with self._database.write() as session:
            found = session.get(Hold, (app, environment))
            _answer(session, request, answer)
            if found:
                session.delete(found)
                session.flush()
                count_change(session)
            return found is not None

    def all(self) -> Sequence[Hold]:
        """Return all holds, sorted by app and environment."""
        with self._database.read() as session:
            return session.scalars(select(Hold).order_by(Hold.app, Hold.environment)).all()


def _answer(session: Session, request: int | None, answer: str) -> None:
    """Answer a request in the same transaction, so that a crash leaves none that was done half."""
    if request is not None and answer:
        done = update(DeployRequest).where(DeployRequest.id == request)
        session.execute(done.values(state="done", message=answer))
