"""Which apps had nothing to do, and a fingerprint of what they looked like then."""

from collections.abc import Mapping

from sqlalchemy import delete, select

from bot.database import Database
from bot.store.tables import SettledApp


class SettledApps:
    """At most one fingerprint for each app."""

    def __init__(self, database: Database) -> None:
        """Keep fingerprints in `database`."""
        self._database = database

    def all(self) -> dict[str, str]:
        """Return the fingerprints by app."""
        with self._database.read() as session:
            return {row.app: row.fingerprint for row in session.scalars(select(SettledApp))}

    def keep(self, fingerprints: Mapping[str, str]) -> None:
        """Record fingerprints by app, in one transaction."""
        rows = [{"app": app, "fingerprint": fingerprint} for app, fingerprint in fingerprints.items()]
        insert = self._database.insert(SettledApp)
        update = insert.on_conflict_do_update(index_elements=["app"], set_={"fingerprint": insert.excluded.fingerprint})
        with self._database.write_connection() as connection:
            connection.execute(update, rows)

    def forget(self, app: str) -> None:
        """Remove an app's fingerprint."""
        with self._database.write() as session:
            session.execute(delete(SettledApp).where(SettledApp.app == app))
