"""What the storage server asks a storage: a file as an answer of HTTP, the names in a folder.

Paths are below the storage, without a slash before them (`committees/all.csv`); those of folders end with one, and
the storage itself is "". No part of them is empty, hidden or "..": `split_path` sees to it.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from werkzeug.wrappers import Response

from bot.errors import TransientError

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_NO_TEXT = re.compile(r"[\x00-\x1f/\x7f\ud800-\udfff]")  # surrogates: bytes of a name that are no UTF-8


class StorageUnreachableError(TransientError):
    """The storage does not answer; it may later."""


@dataclass(frozen=True)
class ListedEntry:
    """One name in a folder."""

    name: str
    is_folder: bool = False
    bytes: int | None = None
    modified: datetime | None = None


@dataclass(frozen=True)
class FolderContents:
    """The names in a folder, sorted, folders first; `has_more`: these are not all."""

    entries: tuple[ListedEntry, ...]
    has_more: bool = False


class StorageBackend(Protocol):
    """What is shown over HTTP. All of it raises StorageUnreachableError or OSError when it cannot be read."""

    def answer(self, path: str, environ: "WSGIEnvironment") -> Response | None:
        """Return a file: its bytes, length, ETag and time, by the request's conditions and range.

        None: there is no such file. Raises RequestedRangeNotSatisfiable.
        """

    def read(self, path: str, limit: int) -> bytes | None:
        """Return the first bytes of a file, at most `limit` of them; None: there is no such file."""

    def size(self, path: str) -> int | None:
        """Return how many bytes a file has; None: that costs too much to know, or there is no such file."""

    def has_folder(self, path: str) -> bool:
        """Return whether there is such a folder."""

    def folder(self, path: str) -> FolderContents | None:
        """Return what is in a folder; None: there is none, or nobody can know."""

    def problem(self) -> str | None:
        """Return why nothing can be shown; None: it can."""


def is_shown(name: str) -> bool:
    """Return whether a file or folder of this name may be shown: no hidden ones, and none that is no text."""
    is_text = not _NO_TEXT.search(name)
    return bool(name) and not name.startswith(".") and is_text


def split_path(path: str) -> tuple[str, ...] | None:
    """Return the parts of a path, without the slash at its end; None when a part of it may not be shown."""
    parts = tuple(path.removesuffix("/").split("/")) if path else ()
    return parts if all(is_shown(part) for part in parts) else None
