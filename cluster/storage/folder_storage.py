"""A storage that is a folder. Each file is opened part by part, so no link in it, whenever it was made, leads out.

An open file stays what it was: who reads an old version reads it to its end, also when it is deleted meanwhile.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from werkzeug.wrappers import Response
from werkzeug.wsgi import FileWrapper

from cluster.storage.backend import FolderContents, ListedEntry, is_shown, split_path
from cluster.storage.current import Location, Locator
from cluster.storage.limits import CHUNK_BYTES, MAX_LISTED, MAX_LOOKED_AT, POINTER_SECONDS

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_OPEN = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK  # not to wait for who writes into a pipe
_ABSENT = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EACCES, errno.ENAMETOOLONG, errno.ENXIO, errno.EPERM}
FOR_EVER = "public, max-age=31536000, immutable"


class FolderStorage:
    """A folder, which may come, go and be replaced meanwhile; the path to it may have links, what is in it not."""

    def __init__(self, root: Path, *, has_pointers: bool = False) -> None:
        """Show `root`; `has_pointers`: it is laid out as `layout` says, so that pointers count."""
        self._root = root
        self._locator = Locator(self._read, POINTER_SECONDS) if has_pointers else None

    def answer(self, path: str, environ: "WSGIEnvironment") -> Response | None:
        """Return a file. Raises RequestedRangeNotSatisfiable."""
        location = self._locate(path)
        file = self._file(location.path)
        if file is None:
            return None
        try:
            found = os.fstat(file.fileno())
            # Not the server's own file_wrapper: it cannot begin within the file, and waits for ever for a client.
            response = Response(FileWrapper(file, CHUNK_BYTES), direct_passthrough=True)
            response.content_length = found.st_size
            response.last_modified = datetime.fromtimestamp(found.st_mtime, UTC)
            # Of a copy the time may be that of what was copied; when it came here is another.
            response.set_etag(f"{found.st_size:x}-{found.st_mtime_ns:x}-{found.st_ctime_ns:x}")
            if where := location.content_location(path):
                response.headers["Content-Location"] = where
            if location.never_changes:
                response.headers["Cache-Control"] = FOR_EVER
            return response.make_conditional(environ, accept_ranges=True, complete_length=found.st_size)
        except BaseException:
            file.close()
            raise

    def read(self, path: str, limit: int) -> bytes | None:
        """Return the first bytes of a file."""
        return self._read(self._locate(path).path, limit)

    def size(self, path: str) -> int | None:
        """Return how many bytes a file has."""
        file = self._file(self._locate(path).path)
        if file is None:
            return None
        with file:
            return os.fstat(file.fileno()).st_size

    def has_folder(self, path: str) -> bool:
        """Return whether there is such a folder."""
        location = self._locate(path)
        with self._opened(location.path) as found:
            return bool(location.names) or (found is not None and _is_folder(found))

    def folder(self, path: str) -> FolderContents | None:
        """Return what is in a folder, hidden files and links left out."""
        location = self._locate(path)
        entries = {name: ListedEntry(name, is_folder=True) for name in location.names}
        looked_at = 0
        with self._opened(location.path) as found:
            if (found is None or not _is_folder(found)) and not location.names:
                return None
            if found is not None:
                with os.scandir(found) as scanned:
                    for each in scanned:
                        looked_at += 1
                        if looked_at > MAX_LOOKED_AT:
                            break
                        if each.name not in location.own_names and (entry := _entry(each)):
                            entries.setdefault(entry.name, entry)
        ordered = sorted(entries.values(), key=lambda entry: (not entry.is_folder, entry.name))
        has_more = len(ordered) > MAX_LISTED or looked_at > MAX_LOOKED_AT
        return FolderContents(tuple(ordered[:MAX_LISTED]), has_more)

    def problem(self) -> str | None:
        """Return why nothing can be shown."""
        return None if self._root.is_dir() else "the folder of the storage is not there"

    def _locate(self, path: str) -> Location:
        return self._locator.locate(path) if self._locator else Location(path)

    def _read(self, path: str, limit: int) -> bytes | None:
        file = self._file(path)
        if file is None:
            return None
        with file:
            return file.read(limit)

    def _file(self, path: str) -> BinaryIO | None:
        """Return a plain file, open."""
        if path.endswith("/"):
            return None
        with self._opened(path) as found:
            if found is None or not stat.S_ISREG(os.fstat(found).st_mode):
                return None
            return os.fdopen(os.dup(found), "rb")

    @contextmanager
    def _opened(self, path: str) -> Iterator[int | None]:
        """Give a file or folder, open; None: there is no such thing, or a link is on the way."""
        parts = split_path(path)
        opened = None
        try:
            if parts is not None:
                opened = os.open(self._root, _OPEN | os.O_DIRECTORY)
                for part in parts:
                    above, opened = opened, None
                    try:
                        opened = os.open(part, _OPEN | os.O_NOFOLLOW, dir_fd=above)
                    finally:
                        os.close(above)
        except OSError as error:
            if error.errno not in _ABSENT:
                raise
        try:
            yield opened
        finally:
            if opened is not None:
                os.close(opened)


def _is_folder(found: int) -> bool:
    return stat.S_ISDIR(os.fstat(found).st_mode)


def _entry(found: os.DirEntry[str]) -> ListedEntry | None:
    try:
        about = found.stat(follow_symlinks=False)
    except OSError:  # it went away meanwhile
        return None
    if not is_shown(found.name):
        return None
    modified = datetime.fromtimestamp(about.st_mtime, UTC)
    if stat.S_ISDIR(about.st_mode):
        return ListedEntry(found.name, is_folder=True, modified=modified)
    return ListedEntry(found.name, bytes=about.st_size, modified=modified) if stat.S_ISREG(about.st_mode) else None
