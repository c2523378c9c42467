"""A strict reader of an uncompressed tar, from whoever may have forged it: pieces come in, plain files come out.

It knows regular files, long names (a pax header's `path` and `size`, GNU's `L`), and nothing else: no folders, links,
devices, sparse files, no names that lead elsewhere. Memory does not grow with what the tar says. (The standard
library's reader takes a header as long as it says into memory, and knows all of these.)
https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html
"""

import tarfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from cluster.publisher.errors import PublicationRefusedError, PublicationTooLargeError
from cluster.publisher.limits import MAX_HEADER_BYTES, MAX_NAME_BYTES, MAX_PATH_BYTES, PIECE_BYTES

_BLOCK = tarfile.BLOCKSIZE
_REGULAR = (tarfile.REGTYPE, tarfile.AREGTYPE)
_KINDS = {
    tarfile.LNKTYPE: "a hard link",
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a pipe",
    tarfile.DIRTYPE: "a folder",
}


class TarSource(Protocol):
    """What is read from, such as aiohttp's StreamReader."""

    async def readexactly(self, size: int, /) -> bytes:
        """Return so many bytes. Raises asyncio.IncompleteReadError."""


@dataclass(frozen=True)
class TarLimits:
    """How much a tar may hold."""

    bytes: int
    files: int


@dataclass(frozen=True)
class TarFile:
    """A file of the tar, whose content is read before the next one's."""

    path: str
    size: int
    content: AsyncIterator[bytes]


async def read_tar(source: TarSource, limits: TarLimits) -> AsyncIterator[TarFile]:
    """Yield its files, in their order. Raises PublicationRefusedError; what `source` raises passes through."""
    files = size = 0
    while True:
        header, given = await _next_header(source)
        if header is None:
            return
        path = given.get("path", header.name)
        if header.type not in _REGULAR:
            kind = _KINDS.get(header.type, "something that is no file")
            raise PublicationRefusedError(f"the worker's tar holds {kind}, {_shown(path)}: only files are published")
        check_path(path)
        length = _number(given.get("size", str(header.size)), path)
        files, size = files + 1, size + length
        if size > limits.bytes:
            raise PublicationTooLargeError(f"it has more than the {limits.bytes:,} bytes that may be published")
        if files > limits.files:
            raise PublicationTooLargeError(f"it has more than the {limits.files:,} files that may be published")
        yield TarFile(path, length, _content(source, length))


def check_path(path: str) -> None:
    """Raise PublicationRefusedError unless this is the path of a file below a folder, and no hidden one."""
    try:
        encoded = path.encode()
    except UnicodeEncodeError:
        raise PublicationRefusedError(f"the name {_shown(path)} is no UTF-8; give the file another one") from None
    parts = encoded.split(b"/")
    if len(encoded) > MAX_PATH_BYTES or any(len(part) > MAX_NAME_BYTES for part in parts):
        longest = f"{MAX_PATH_BYTES} bytes, {MAX_NAME_BYTES} a part"
        raise PublicationRefusedError(f"the name {_shown(path)} is longer than {longest}; give the file a shorter one")
    if any(not part or part.startswith(b".") for part in parts):
        raise PublicationRefusedError(f"the worker's tar holds {_shown(path)}, which is no path of a file to publish")
    if any(byte < 32 or byte == 127 for byte in encoded):
        raise PublicationRefusedError(f"the name {_shown(path)} has control characters; give the file another one")


async def _next_header(source: TarSource) -> tuple[tarfile.TarInfo | None, dict[str, str]]:
    """Return the next file's header and what goes before its own fields; None at the end."""
    given: dict[str, str] = {}
    while True:
        block = await source.readexactly(_BLOCK)
        if not any(block):
            return None, {}
        try:
            header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except (tarfile.HeaderError, ValueError) as error:
            raise PublicationRefusedError(f"what the worker sends is no tar: {error}") from None
        if header.type not in (tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME):
            return header, given
        if not 0 < header.size <= MAX_HEADER_BYTES:
            raise PublicationRefusedError("the worker's tar holds a name that is too long to be one")
        text = b"".join([piece async for piece in _content(source, header.size)])
        if header.type == tarfile.XHDTYPE:
            given |= _read_pax(text)
        else:
            given["path"] = text.rstrip(b"\0").decode("utf-8", "surrogateescape")


def _read_pax(text: bytes) -> dict[str, str]:
    """Return path and size of a pax header: lines `LENGTH NAME=VALUE`."""
    found: dict[str, str] = {}
    while text.strip(b"\0"):
        try:
            length = int(text[:20].split(b" ", 1)[0])
            line, text = text[:length], text[length:]
            name, value = line.split(b" ", 1)[1].removesuffix(b"\n").split(b"=", 1)
        except (ValueError, IndexError):
            raise PublicationRefusedError("what the worker sends is no tar: a pax header is damaged") from None
        if length <= 0 or name.startswith(b"GNU.sparse"):
            raise PublicationRefusedError("the worker's tar holds a sparse file: only plain files are published")
        if name in (b"path", b"size"):
            found[name.decode()] = value.decode("utf-8", "surrogateescape")
    return found


async def _content(source: TarSource, size: int) -> AsyncIterator[bytes]:
    """Yield a file's content; what fills its last block is read too."""
    left = size
    while left:
        piece = await source.readexactly(min(left, PIECE_BYTES))
        left -= len(piece)
        yield piece
    if rest := -size % _BLOCK:
        await source.readexactly(rest)


def _number(text: str, path: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise PublicationRefusedError(f"the worker's tar holds {_shown(path)} with a size that is none")
    return int(text)


def _shown(path: str) -> str:
    """Return a name as one short line, whatever it holds."""
    return ascii(path if len(path) <= 100 else path[:99] + "…")
