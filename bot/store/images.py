"""Which image was built from which files of an app, and when."""

from collections.abc import Collection
from datetime import UTC, datetime

from sqlalchemy import select

from bot.database import Database, upsert
from bot.store.tables import BuiltImage


class Images:
    """Built images by app and tag."""

    def __init__(self, database: Database) -> None:
        """Keep images in `database`."""
        self._database = database

    def find(self, app: str, tag: str) -> str | None:
        """Return the image that was built with this tag, `HOST/NAME@sha256:…`, or None."""
        with self._database.read() as session:
            found = session.get(BuiltImage, (app, tag))
            return found.image if found else None

    def newest(self, app: str, images: Collection[str]) -> str | None:
        """Return the one of an app's images that was built last; of those that are not known here the first by name."""
        built = select(BuiltImage.image).where(BuiltImage.app == app, BuiltImage.image.in_(images))
        with self._database.read() as session:
            last = session.scalar(built.order_by(BuiltImage.built.desc()).limit(1))
        return last or min(images, default=None)

    def record(self, app: str, tag: str, image: str) -> None:
        """Remember `image` (`HOST/NAME@sha256:…`) as what this tag means, instead of an earlier one."""
        with self._database.write() as session:
            upsert(session, BuiltImage, {"app": app, "tag": tag}, {"image": image, "built": datetime.now(UTC)})
