"""Unpacks somebody else's archive so that nothing lands outside the folder, however it was made.

Two rules make that simple to see. While files are written there is no symbolic link in the folder, so no name
can lead through one: they are made last, and then each must lead to a place in the folder. And whatever is
counted (entries, bytes) is counted while writing, never taken from a header.
The standard library's filter (tarfile.data_filter) knows tar only, counts nothing and came with Python 3.11.4; so
nothing here relies on it, and one set of rules holds for both kinds of archive.
"""

import errno
import lzma
import os
import re
import struct
import tarfile
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path

from cli.errors import InputError
from cli.limits import CHUNK_BYTES
from cli.run.archive_formats import ArchiveEntry, read_entries
from cli.run.limits import Limits

DAMAGED = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, struct.error, EOFError),
    *(ValueError, OverflowError),  # a size or a date out of range
    NotImplementedError,  # what zipfile doesn't know, and so what damage can look like
    RecursionError,  # tar headers that describe each other
)
IN_THE_WAY = (errno.EEXIST, errno.ENOTDIR, errno.EISDIR)


def unpack(archive: Path, folder: Path, limits: Limits) -> int:
    """Unpack into `folder`, which is empty, and return the number of files.

    Raises InputError with what is wrong with the archive; the folder is half full then, the caller's to remove.
    """
    work = _Unpacking(folder, limits)
    try:
        with archive.open("rb") as file:
            for entry in read_entries(file, limits.max_unpacked_bytes + 2048 * limits.max_entries):
                work.add(entry)
        work.make_links()
    except DAMAGED as error:
        raise InputError(f"the archive is truncated or damaged ({error or type(error).__name__})") from error
    except OSError as error:
        if error.errno is None:  # so gzip and bz2 tell of damage
            raise InputError(f"the archive is truncated or damaged ({error})") from error
        raise InputError(f"cannot unpack: {error.strerror} ({folder})") from error
    if not work.files:
        raise InputError("the archive holds no files")
    return len(work.files)


@dataclass
class _Unpacking:
    folder: Path
    limits: Limits
    bytes: int = 0
    entries: int = 0
    files: set[Path] = field(default_factory=set)
    folders: set[Path] = field(default_factory=set)
    links: list[tuple[str, Path, str]] = field(default_factory=list)

    def add(self, entry: ArchiveEntry) -> None:
        path = self.folder.joinpath(*_parts(entry.name))
        try:
            self._add(entry, path)
        except OSError as error:
            if error.errno in IN_THE_WAY:
                raise InputError(f"{_shown(entry.name)} is there twice") from error
            raise
        self.entries += 1
        made = len(self.files) + len(self.folders) + len(self.links)  # folders without an entry, too
        if max(self.entries, made) > self.limits.max_entries:
            raise InputError(f"more than {self.limits.max_entries} entries (DPPCTL_MAX_ENTRIES)")

    def _add(self, entry: ArchiveEntry, path: Path) -> None:
        if entry.kind == "folder":
            self._make_folder(path)
        elif path == self.folder:
            raise InputError(f"the {entry.kind} {_shown(entry.name)} stands for the folder itself")
        elif entry.kind == "file":
            self._make_folder(path.parent)
            self._write(entry, path)
        elif entry.kind == "symlink":
            self._make_folder(path.parent)
            self.links.append((entry.name, path, entry.link))
        elif entry.kind == "hardlink":
            self._make_folder(path.parent)
            self._link_to_file(entry, path)
        else:
            raise InputError(f"{_shown(entry.name)} is a {entry.kind}; only files, folders and links are unpacked")

    def _make_folder(self, path: Path) -> None:
        missing = []
        while path != self.folder and path not in self.folders:
            missing.append(path)
            path = path.parent
        for folder in reversed(missing):
            folder.mkdir()
            self.folders.add(folder)

    def _write(self, entry: ArchiveEntry, path: Path) -> None:
        mode = 0o777 if entry.executable else 0o666
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with entry.open() as content, open(os.open(path, flags, mode), "wb") as file:
            self.files.add(path)
            while chunk := content.read(CHUNK_BYTES):
                self.bytes += len(chunk)
                if self.bytes > self.limits.max_unpacked_bytes:
                    most = self.limits.max_unpacked_bytes
                    raise InputError(f"unpacks to more than {most} bytes (DPPCTL_MAX_UNPACKED_BYTES)")
                file.write(chunk)

    def _link_to_file(self, entry: ArchiveEntry, path: Path) -> None:
        """Make a hard link, which names an earlier file of the archive, whose bytes are stored once."""
        target = self.folder.joinpath(*_parts(entry.link))
        if target not in self.files:
            raise InputError(f"{_shown(entry.name)} links to {_shown(entry.link)}, no earlier file of the archive")
        os.link(target, path)
        self.files.add(path)

    def make_links(self) -> None:
        """Make all symbolic links, then look where each leads: they can lead through each other."""
        for name, path, link in self.links:
            try:
                path.symlink_to(link)
            except FileExistsError as error:
                raise InputError(f"{_shown(name)} is there twice") from error
        inside = self.folder.resolve()
        for name, path, link in self.links:
            if os.path.isabs(link) or not Path(os.path.realpath(path)).is_relative_to(inside):
                raise InputError(f"the link {_shown(name)} leaves the folder: {_shown(link)}")


def _parts(name: str) -> list[str]:
    """Return the parts of an entry's name; [] is the folder itself.

    What only Windows takes for a path is refused everywhere, so that an archive means the same on every machine.
    """
    if "\0" in name or "\\" in name or name.startswith("/") or re.match("[A-Za-z]:", name):
        raise InputError(f"{_shown(name)} is no relative path of plain names")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise InputError(f"{_shown(name)} leaves the folder")
    return parts


def _shown(name: str) -> str:
    """Quote a name, without control characters, and short: it was chosen by somebody else."""
    return ascii(name if len(name) <= 100 else name[:97] + "...")
