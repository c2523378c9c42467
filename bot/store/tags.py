"""When each tag was first seen at its commit, and which tags an app had at first: git itself does not record that.

A tag that is not there is not forgotten: it may be gone for a moment only, and is not new when it comes back.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from bot.database import Database, upsert
from bot.limits import GONE_TAG_DAYS
from bot.store.tables import BaselineTag, SeenApp, SeenTag


class Tags:
    """The tags of each repository, and for each app those that are its baseline."""

    def __init__(self, database: Database) -> None:
        """Keep tags in `database`."""
        self._database = database

    def see(self, repository: str, tags: Mapping[str, str]) -> dict[str, datetime]:
        """Record a repository's tags (commit by full name) as they are now. Return when each of them appeared.

        Tags that are new, or at another commit than the one where they were seen last, appear now, together; such a
        one is in no baseline any more. A tag that is gone keeps what is known of it for GONE_TAG_DAYS.
        """
        of_repository = SeenTag.repository == repository
        with self._database.read() as session:
            present = session.scalars(select(SeenTag).where(of_repository, SeenTag.gone.is_(None))).all()
        if {tag.name: tag.commit for tag in present} == dict(tags):
            return {tag.name: tag.appeared for tag in present}
        with self._database.write() as session:
            known = {tag.name: tag for tag in session.scalars(select(SeenTag).where(of_repository))}
            # Later than all before, whatever the clock says.
            now = max([datetime.now(UTC), *(tag.appeared + timedelta(microseconds=1) for tag in known.values())])
            for name in known.keys() - tags.keys():
                known[name].gone = known[name].gone or now
            for name, commit in tags.items():
                if name not in known:
                    known[name] = SeenTag(repository=repository, name=name, commit=commit, appeared=now)
                    session.add(known[name])
                elif known[name].commit != commit:
                    known[name].commit, known[name].appeared = commit, now
                    _take_out_of_baselines(session, repository, name)
                known[name].gone = None
            session.execute(delete(SeenTag).where(of_repository, SeenTag.gone < now - timedelta(days=GONE_TAG_DAYS)))
        return {name: known[name].appeared for name in tags}

    def baseline(self, app: str, tags: Mapping[str, str]) -> dict[str, str]:
        """Return the tags of an app, and their commits, that are not deployed automatically: it had them at first.

        `tags`: those of its repository now. At the first call for an app all of them are its baseline.
        """
        of_app = select(BaselineTag.name, BaselineTag.commit).where(BaselineTag.app == app)
        with self._database.read() as session:
            if session.get(SeenApp, app):
                return dict(iter(session.execute(of_app)))
        with self._database.write() as session:
            if upsert(session, SeenApp, {"app": app}, {}, update={}):  # another bot may have been first
                session.add_all(BaselineTag(app=app, name=name, commit=commit) for name, commit in tags.items())
                session.flush()
            return dict(iter(session.execute(of_app)))


def _take_out_of_baselines(session: Session, repository: str, name: str) -> None:
    """Let a tag that moved count for all apps of a repository, also when it moves back."""
    of_repository = or_(BaselineTag.app == repository, BaselineTag.app.startswith(f"{repository}/", autoescape=True))
    session.execute(delete(BaselineTag).where(of_repository, BaselineTag.name == name))
