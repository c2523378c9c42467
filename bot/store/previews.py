"""Previews of branches: when each branch was pushed, which previews there are, and the comments about them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from bot.database import Database, upsert
from bot.model.previews import PREVIEWS
from bot.store.deployment_changes import add_event
from bot.store.preview_tables import Preview, SeenBranch
from bot.store.run_tables import CurrentData
from bot.store.tables import OPEN, Deployment, Hold
from bot.store.totals import count_change


class Previews:
    """The previews of all apps. Of one that is gone its history stays."""

    def __init__(self, database: Database) -> None:
        """Keep previews in `database`."""
        self._database = database

    def see(self, repository: str, branches: Mapping[str, tuple[str, datetime]]) -> dict[str, datetime]:
        """Record a repository's branches (commit, and the date of that, by full name) as they are now.

        Return when each was last pushed: now, when it is new or at another commit. When a repository is seen for the
        first time, nobody knows; then it is the commit's date.
        """
        of_repository = SeenBranch.repository == repository
        with self._database.read() as session:
            known = {found.name: found for found in session.scalars(select(SeenBranch).where(of_repository))}
        if {name: found.commit for name, found in known.items()} == {name: at[0] for name, at in branches.items()}:
            return {name: found.pushed for name, found in known.items()}
        now = datetime.now(UTC)
        pushed = {
            name: known[name].pushed
            if name in known and known[name].commit == commit
            else now
            if known
            else min(now, created)
            for name, (commit, created) in branches.items()
        }
        with self._database.write() as session:
            gone = known.keys() - branches.keys()
            session.execute(delete(SeenBranch).where(of_repository, SeenBranch.name.in_(gone)))
            for name, (commit, _) in branches.items():
                key = {"repository": repository, "name": name}
                if name not in known or known[name].commit != commit:
                    upsert(session, SeenBranch, key, {"commit": commit, "pushed": pushed[name]})
        return pushed

    def idle(self, repository: str, since: datetime) -> list[str]:
        """Return the branches of a repository, by their full names, that were last pushed before `since`."""
        wanted = select(SeenBranch.name).where(SeenBranch.repository == repository, SeenBranch.pushed < since)
        with self._database.read() as session:
            return list(session.scalars(wanted.order_by(SeenBranch.name)))

    def keep(self, app: str, ops: str, there: Mapping[str, tuple[str, str | None]]) -> None:
        """Record which previews of an app there are in an ops repo: by name the branch, and what it is compared with.

        Those that are there no more are gone, and what was under way for them ends. Compared with None: as before.
        """
        of_app = select(Preview).where(Preview.app == app, Preview.ops == ops, Preview.gone.is_(None))
        with self._database.read() as session:
            known = {found.environment: found for found in session.scalars(of_app)}
        before = {name: (found.ref, found.compared) for name, found in known.items()}
        there = {name: (ref, compared or before.get(name, ("", None))[1]) for name, (ref, compared) in there.items()}
        if before == there:
            return
        with self._database.write() as session:
            for name in known.keys() - there.keys():
                _end(session, app, name, None)
            for name, (ref, compared) in there.items():
                row = {"ops": ops, "ref": ref, "compared": compared, "since": datetime.now(UTC), "gone": None}
                row |= {"reason": None, "pull_request": None, "comment_id": None, "comment_digest": None}
                update = {"ref": ref, "compared": compared} if name in known else None
                upsert(session, Preview, {"app": app, "environment": name}, row, update)
            _resolve(session, app, PREVIEWS, "apps.yaml registers previews")
            count_change(session)

    def end(self, app: str, environment: str, reason: str) -> None:
        """Record that a preview is gone: what was under way for it ends, and nobody holds it any more."""
        with self._database.write() as session:
            _end(session, app, environment, reason)
            count_change(session)

    def find(self, app: str, environment: str) -> Preview | None:
        """Return a preview, also one that is gone."""
        with self._database.read() as session:
            return session.get(Preview, (app, environment))

    def there(self) -> Sequence[Preview]:
        """Return the previews that are there, sorted by app and name."""
        wanted = select(Preview).where(Preview.gone.is_(None)).order_by(Preview.app, Preview.environment)
        with self._database.read() as session:
            return session.scalars(wanted).all()

    def gone(self) -> set[tuple[str, str]]:
        """Return the app and the name of each preview that is gone."""
        wanted = select(Preview.app, Preview.environment).where(Preview.gone.is_not(None))
        with self._database.read() as session:
            return {(app, environment) for app, environment in session.execute(wanted)}

    def to_tell_gone(self) -> Sequence[Preview]:
        """Return the previews that are gone while a comment still tells of what they had."""
        is_shown = Preview.gone.is_not(None) & Preview.comment_id.is_not(None)
        with self._database.read() as session:
            return session.scalars(select(Preview).where(is_shown).order_by(Preview.app, Preview.environment)).all()

    def forget_comment(self, app: str, environment: str) -> None:
        """Record that the comment about a preview that is gone stays as it is now."""
        with self._database.write() as session:
            found = session.get(Preview, (app, environment), with_for_update=True)
            if found and found.gone:
                found.comment_id = found.comment_digest = None

    def record_comment(self, app: str, environment: str, pull_request: int, comment_id: int, digest: str) -> None:
        """Record which comment tells of a preview, and the digest of its text."""
        row = {"pull_request": pull_request, "comment_id": comment_id, "comment_digest": digest}
        with self._database.write() as session:
            if found := session.get(Preview, (app, environment), with_for_update=True):
                for name, value in row.items():
                    setattr(found, name, value)


def _end(session: Session, app: str, environment: str, reason: str | None) -> None:
    found = session.get(Preview, (app, environment), with_for_update=True)
    if found and found.gone is None:
        found.gone, found.reason = datetime.now(UTC), reason
    reason = reason or "the preview is gone"
    for table in (Hold, CurrentData):
        if row := session.get(table, (app, environment)):
            session.delete(row)
    of_environment = (Deployment.app == app) & (Deployment.environment == environment)
    for deployment in session.scalars(select(Deployment).where(of_environment, Deployment.state.in_(OPEN))):
        deployment.state = "superseded"
        add_event(session, deployment, datetime.now(UTC), "superseded", reason)
    _resolve(session, app, environment, reason)


def _resolve(session: Session, app: str, environment: str, reason: str) -> None:
    """End what was refused or skipped for an environment."""
    of_environment = (Deployment.app == app) & (Deployment.environment == environment)
    over = of_environment & Deployment.state.in_(("refused", "skipped"))
    for deployment in session.scalars(select(Deployment).where(over)):
        deployment.state = "resolved"
        add_event(session, deployment, datetime.now(UTC), "resolved", reason)
