"""When each tag was first seen at its commit: git itself does not record that."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, select

from bot.store.database import Database, upsert
from bot.store.tables import SeenApp, SeenTag


class Tags:
    """The tags of each repository, and for each app the time up to which tags are its baseline."""

    def __init__(self, database: Database) -> None:
        """Keep tags in `database`."""
        self._database = database

    def see(self, repository: str, tags: Mapping[str, str]) -> dict[str, datetime]:
        """Record a repository's tags (commit by full name) as they are now. Return when each of them appeared.

        Tags that are new or at another commit appear now, together; a tag that is gone is forgotten.
        """
        of_repository = SeenTag.repository == repository
        with self._database.read() as session:
            known = {tag.name: tag for tag in session.scalars(select(SeenTag).where(of_repository))}
        if {name: tag.commit for name, tag in known.items()} == dict(tags):
            return {name: tag.appeared for name, tag in known.items()}
        with self._database.write() as session:
            known = {tag.name: tag for tag in session.scalars(select(SeenTag).where(of_repository))}
            # Later than all before, whatever the clock says.
            now = max([datetime.now(UTC), *(tag.appeared + timedelta(microseconds=1) for tag in known.values())])
            for name in known.keys() - tags.keys():
                session.execute(delete(SeenTag).where(of_repository, SeenTag.name == name))
            for name, commit in tags.items():
                if name not in known:
                    known[name] = SeenTag(repository=repository, name=name, commit=commit, appeared=now)
                    session.add(known[name])
                elif known[name].commit != commit:
                    known[name].commit, known[name].appeared = commit, now
        return {name: known[name].appeared for name in tags}

    def baseline(self, app: str, appeared: Mapping[str, datetime]) -> datetime:
        """Return the time up to which an app's tags count as old, so that they are not deployed automatically.

        `appeared` is what `see` returned; at the first call for an app all of it is old.
        """
        with self._database.read() as session:
            if found := session.get(SeenApp, app):
                return found.baseline
        now = max([datetime.now(UTC), *appeared.values()])
        with self._database.write() as session:
            upsert(session, SeenApp, {"app": app}, {"baseline": now}, update={})  # another bot may have been first
            return session.scalars(select(SeenApp.baseline).where(SeenApp.app == app)).one()
