"""Which version of a deployment's publication a request reads: that which `current.json` names, by `layout`.

It is read for each request and remembered for a moment. A request that has begun goes on with the files that it has
opened, whatever is switched meanwhile.
"""

import posixpath
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import quote

from bot.logs import get_logger
from cluster.storage.layout import MAX_POINTER_BYTES, POINTER_FILE, RELEASES, LayoutError, Pointer, Prefix
from cluster.storage.limits import MAX_POINTERS

_log = get_logger("dppctl.storage")


@dataclass(frozen=True)
class Location:
    """Where a path of a URL is in the storage."""

    path: str
    names: tuple[str, ...] = ()  # of folders below it that other releases hold
    own_names: tuple[str, ...] = ()  # what the storage itself has there, and is not shown
    never_changes: bool = False  # a release itself was asked for

    def content_location(self, path: str) -> str:
        """Return where what was asked for by its stable path stays as it is, as seen from there; "": it has no release.

        https://www.rfc-editor.org/rfc/rfc9110#name-content-location
        """
        return quote(posixpath.relpath(self.path, posixpath.dirname(path) or ".")) if self.path != path else ""


class Locator:
    """Finds where a path is; `read` gives the first bytes of a file of the storage, at most so many, or None."""

    def __init__(self, read: Callable[[str, int], bytes | None], seconds: float) -> None:
        self._read, self._seconds = read, seconds
        self._known: dict[str, tuple[float, Pointer | None]] = {}

    def locate(self, path: str) -> Location:
        """Return where a file, or a folder with a slash at its end, is read from."""
        for prefix in _prefixes(path):
            if pointer := self._pointer(prefix):
                below = path[len(prefix) :]
                if below == POINTER_FILE or f"{below}/".startswith(f"{RELEASES}/"):
                    return Location(path, never_changes=below.count("/") > 1)
                names = pointer.below(below) if below.endswith("/") or not below else ()
                release = pointer.resolve(below.removesuffix("/"))
                if release is None:  # what was there before there was a pointer
                    return Location(path, names, () if below else (RELEASES, POINTER_FILE))
                return Location(f"{prefix}{RELEASES}/{release}/{below}", names)
        return Location(path)

    def _pointer(self, prefix: str) -> Pointer | None:
        until, pointer = self._known.get(prefix, (0.0, None))
        now = time.monotonic()
        if now >= until:
            pointer = self._look(prefix)
            if len(self._known) >= MAX_POINTERS:
                self._known.clear()
            self._known[prefix] = (now + self._seconds, pointer)
        return pointer

    def _look(self, prefix: str) -> Pointer | None:
        text = self._read(prefix + POINTER_FILE, MAX_POINTER_BYTES)
        try:
            return Pointer.read(text) if text else None
        except LayoutError as error:  # a file of this name that a run has published
            _log.info("no pointer", path=prefix + POINTER_FILE, reason=str(error))
            return None


def _prefixes(path: str) -> Iterator[str]:
    """Yield where the pointer for a path may be: of a storage that holds one environment only, and of others."""
    yield ""
    app, _, rest = path.partition("/")
    environment, slash, _ = rest.partition("/")
    if slash:
        try:
            yield Prefix.parse(f"{app}/{environment}/").text
        except LayoutError:
            return
