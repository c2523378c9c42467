"""Reads zip and tar archives (tar also packed with gzip, bzip2 or xz) as a stream of entries.

What an entry may be and where it may land is decided in archive.py; here nothing is written. The content says what
an archive is, not its name. No single read is large, so that headers that claim gigabytes cannot fill the memory.
"""

import io
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import IO, cast

from cli.errors import InputError

MOST_AT_ONCE = 24 * 2**20  # bytes; the table of contents of a zip with 100,000 files takes about 15 MB
LONGEST_LINK = 4096  # bytes; what Linux allows in a path


@dataclass(frozen=True)
class ArchiveEntry:
    """`kind` is file, folder, symlink, hardlink, or what else it is in words. `link` is where a link points to."""

    name: str
    kind: str
    link: str = ""
    executable: bool = False
    open: Callable[[], IO[bytes]] = io.BytesIO


def read_entries(archive: IO[bytes], most_bytes: int) -> Iterator[ArchiveEntry]:
    """Yield the entries in the archive's order; open each before asking for the next.

    `most_bytes`: how much of a tar is decompressed at most. Raises InputError when it is no archive, is encrypted,
    truncated or larger; and what the standard library raises for damaged ones (`DAMAGED` in archive.py).
    """
    start = archive.read(300)
    archive.seek(0)
    if start.startswith((b"PK\3\4", b"PK\5\6")):
        return _zip_entries(archive)
    return _tar_entries(_Forward(_decompressed(archive, start), most_bytes), start)


def _zip_entries(archive: IO[bytes]) -> Iterator[ArchiveEntry]:
    import zipfile

    with zipfile.ZipFile(_Sparing(archive)) as unzipped:
        for member in unzipped.infolist():
            # orig_filename: zipfile cuts the name at a NUL and, on Windows, turns backslashes around.
            name, mode = member.orig_filename, member.external_attr >> 16
            if member.flag_bits & 1:
                raise InputError(f"{name!a:.100} is encrypted; make the archive without a password")
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                # zipfile decompresses the others without a bound on the memory.
                raise InputError(f"{name!a:.100} is compressed by a rare method; use the usual one, deflate")
            kind = "folder" if name.endswith("/") else _kind_of_mode(mode)
            link = ""
            if kind == "symlink":
                with unzipped.open(member) as content:
                    link = content.read(LONGEST_LINK).decode()
            yield ArchiveEntry(name, kind, link, bool(mode & 0o111), partial(unzipped.open, member))


def _kind_of_mode(mode: int) -> str:
    """Return the kind by the Unix mode, the upper half of a zip's external attributes; 0 when made elsewhere."""
    return {0: "file", stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "symlink"}.get(
        stat.S_IFMT(mode), "device or pipe"
    )


def _tar_entries(stream: "_Forward", start: bytes) -> Iterator[ArchiveEntry]:
    import tarfile

    try:
        tar = tarfile.TarFile(fileobj=stream)
    except tarfile.ReadError as error:
        page = "; it looks like a web page" if start.lstrip()[:5].lower() in (b"<!doc", b"<html") else ""
        raise InputError(f"no zip or tar archive{page}") from error
    with tar:
        while member := tar.next():
            yield ArchiveEntry(
                member.name,
                _kind_of_member(member.type),
                member.linkname,
                bool(member.mode & 0o111),
                partial(tar.extractfile, member),  # type: ignore[arg-type]  # None only for what is no file
            )
            tar.members = []  # type: ignore[attr-defined]  # it would keep them all
    # tarfile takes a damaged header for the end; the real end is a block of zeros.
    if stream.last_read != bytes(tarfile.BLOCKSIZE):
        raise InputError("the archive is truncated or damaged")


def _kind_of_member(kind: bytes) -> str:
    import tarfile

    known = {tarfile.DIRTYPE: "folder", tarfile.SYMTYPE: "symlink", tarfile.LNKTYPE: "hardlink"}
    return "file" if kind in tarfile.REGULAR_TYPES else known.get(kind, "device or pipe")


def _decompressed(archive: IO[bytes], start: bytes) -> IO[bytes]:
    if start.startswith(b"\x1f\x8b"):
        import gzip

        return cast(IO[bytes], gzip.GzipFile(fileobj=archive))
    if start.startswith(b"BZh"):
        import bz2

        return bz2.BZ2File(archive)
    if start.startswith(b"\xfd7zXZ\0"):
        import lzma

        return lzma.LZMAFile(archive)
    return archive


class _Sparing(io.RawIOBase):
    """The archive, refusing reads of more than MOST_AT_ONCE: a header's claim, not the data, asks for so much."""

    def __init__(self, archive: IO[bytes]) -> None:
        self._archive = archive

    def read(self, size: int = -1) -> bytes:
        if size > MOST_AT_ONCE:
            raise InputError("the archive's headers are too large, or damaged")
        return self._archive.read(size)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._archive.seek(offset, whence)

    def tell(self) -> int:
        return self._archive.tell()

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True


class _Forward(_Sparing):
    """The decompressed tar. Going back is refused: only a damaged header asks for it, and tarfile before
    Python 3.11.14, 3.12.12 and 3.13.6 then never ends (https://www.cve.org/CVERecord?id=CVE-2025-8194)."""

    def __init__(self, tar: IO[bytes], most_bytes: int) -> None:
        super().__init__(tar)
        self._most_bytes = most_bytes
        self.last_read = b""

    def read(self, size: int = -1) -> bytes:
        self.last_read = super().read(size)
        return self.last_read

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence != io.SEEK_SET or offset < self.tell():
            raise InputError("the archive is damaged")
        if offset > self._most_bytes:
            raise InputError(f"the archive is larger than {self._most_bytes} bytes")
        return super().seek(offset)
