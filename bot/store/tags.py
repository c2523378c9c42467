"""The part of the store that remembers when each tag was first seen at its commit: git itself does not tell."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, select

from bot.store.database import Database
from bot.store.tables import SeenApp, SeenTag


class Tags(Database):
    """Tags and baselines."""

    def see_tags(self, repository: str, tags: Mapping[str, str]) -> dict[str, datetime]:
        """Compare a repository's tags (commit by full name) with those of the last look; when each one appeared.

        Tags that are new or at another commit appear now, together; what is gone is forgotten.
        """
        mine = SeenTag.repository == repository
        with self._reads() as session:
            known = {one.name: one for one in session.scalars(select(SeenTag).where(mine))}
        if {name: one.commit for name, one in known.items()} == dict(tags):
            return {name: one.appeared for name, one in known.items()}
        with self._writes() as session:
            known = {one.name: one for one in session.scalars(select(SeenTag).where(mine))}
            # Later than all before, whatever the clock says.
            now = max([datetime.now(UTC), *(one.appeared + timedelta(microseconds=1) for one in known.values())])
            for name in known.keys() - tags.keys():
                session.execute(delete(SeenTag).where(mine, SeenTag.name == name))
            for name, commit in tags.items():
                if name not in known:
                    known[name] = SeenTag(repository=repository, name=name, commit=commit, appeared=now)
                    session.add(known[name])
                elif known[name].commit != commit:
                    known[name].commit, known[name].appeared = commit, now
        return {name: known[name].appeared for name in tags}

    def baseline(self, app: str, appeared: Mapping[str, datetime]) -> datetime:
        """Tags that appeared up to then were there when the app was registered: they are not deployed by themselves.

        At the first call for an app that is all of `appeared`.
        """
        with self._reads() as session:
            if found := session.get(SeenApp, app):
                return found.baseline
        now = max([datetime.now(UTC), *appeared.values()])
        with self._writes() as session:
            session.connection().execute(self._insert(SeenApp).values(app=app, baseline=now).on_conflict_do_nothing())
            return session.scalars(select(SeenApp.baseline).where(SeenApp.app == app)).one()
