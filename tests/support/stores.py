"""New stores of the servers. A copy of an empty one costs a tenth of all the migrations that made it."""

import shutil
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from bot.store.store import Store

_SQLITE = "sqlite:///"


@cache
def _empty_store() -> TemporaryDirectory[str]:
    folder = TemporaryDirectory(prefix="dppctl-store-")  # it goes with this process
    Store(f"{_SQLITE}{folder.name}/bot.sqlite").close()
    return folder


def open_new_store(file: Path) -> Store:
    """Return a new store in this file of SQLite's."""
    shutil.copy(f"{_empty_store().name}/bot.sqlite", file)
    return Store(f"{_SQLITE}{file}")


def open_store(url: str) -> Store:
    """Return the store at this URL, a new one when there is none."""
    file = Path(url.removeprefix(_SQLITE))
    return open_new_store(file) if url.startswith(_SQLITE) and not file.exists() else Store(url)
