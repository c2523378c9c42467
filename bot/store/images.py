"""The part of the store that keeps which image was built from which files."""

from datetime import UTC, datetime

from bot.store.database import Database
from bot.store.tables import BuiltImage


class BuiltImages(Database):
    """Images by app and tree."""

    def built_image(self, app: str, tree: str) -> str | None:
        """What was built from these files, `HOST/NAME@sha256:…`."""
        with self._reads() as session:
            found = session.get(BuiltImage, (app, tree))
            return found.image if found else None

    def remember_image(self, app: str, tree: str, image: str) -> None:
        """These files have this image from now on."""
        new = {"image": image, "built": datetime.now(UTC)}
        insert = self._insert(BuiltImage).values(app=app, tree=tree, **new)
        with self._writes() as session:
            keys = [BuiltImage.app, BuiltImage.tree]
            session.connection().execute(insert.on_conflict_do_update(index_elements=keys, set_=new))
