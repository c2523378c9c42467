"""Which image was built from which files of an app."""

from datetime import UTC, datetime

from bot.store.database import Database, upsert
from bot.store.tables import BuiltImage


class Images:
    """Built images by app and git tree."""

    def __init__(self, database: Database) -> None:
        """Keep images in `database`."""
        self._database = database

    def find(self, app: str, tree: str) -> str | None:
        """Return the image that was built from these files, `HOST/NAME@sha256:…`, or None."""
        with self._database.read() as session:
            found = session.get(BuiltImage, (app, tree))
            return found.image if found else None

    def record(self, app: str, tree: str, image: str) -> None:
        """Remember `image` (`HOST/NAME@sha256:…`) as what these files are built to, instead of an earlier one."""
        with self._database.write() as session:
            upsert(session, BuiltImage, {"app": app, "tree": tree}, {"image": image, "built": datetime.now(UTC)})
