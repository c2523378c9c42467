"""Unpacks a workload that came over HTTP. It comes from somebody with the token, but its files may not."""

import os
import shutil
import tarfile
import tempfile
import zlib
from pathlib import Path
from typing import Any, BinaryIO, Callable

from worker.limits import TAR_HEADER_BYTES

ENTRIES = 100_000
UNPACKED_BYTES = 2 * 1024 * 1024 * 1024
# Entries without content.
_BODILESS = (tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE)


# What tarfile raises for archives that somebody damaged on purpose; chains of headers are read by recursion.
DAMAGED = (tarfile.TarError, EOFError, ValueError, OverflowError, RecursionError, zlib.error)


class ArchiveError(Exception):
    """The archive is refused; the message says why."""


def replace_contents(folder: Path, archive: BinaryIO) -> None:
    """Make the folder hold what the tar.gz holds, and nothing else; on an error it stays as it was.

    Only files and folders are taken. Raises ArchiveError, and OSError when the disk is full.
    """

    def unpack(fresh: Path) -> None:
        try:
            # A stream cannot lead backwards.
            with tarfile.open(fileobj=archive, mode="r|gz", tarinfo=_BoundedInfo) as tar:
                _unpack(tar, fresh)
        except DAMAGED as error:
            raise ArchiveError(f"not a tar.gz: {error}".splitlines()[0][:500]) from error

    _replace(folder, unpack)


def copy_contents(folder: Path, source: Path) -> None:
    """Make the folder hold what another one holds, and nothing else; on an error it stays as it was.

    Links stay links. Raises ArchiveError for a folder that cannot be a workload, and OSError.
    """
    if source == Path(source.anchor):
        raise ArchiveError("the image has no WORKDIR; set it in its Dockerfile, or in the value `workdir`")
    if folder == source or source in folder.parents:
        raise ArchiveError(f"{folder} is in {source}, which it is to be a copy of")

    def copy(fresh: Path) -> None:
        try:
            shutil.copytree(str(source), str(fresh / ".copy-of-image"), symlinks=True)
        except shutil.Error as error:
            raise ArchiveError(f"{source} cannot be read: {error.args[0][0][2]}") from error
        for each in (fresh / ".copy-of-image").iterdir():
            os.replace(str(each), str(fresh / each.name))
        (fresh / ".copy-of-image").rmdir()

    _replace(folder, copy)


def _replace(folder: Path, fill: Callable[[Path], None]) -> None:
    """Have the folder hold what `fill` puts into a new one."""
    folder.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=".workload-", dir=str(folder)))
    try:
        fill(fresh)
        for old in folder.iterdir():
            if old == fresh:
                continue
            if old.is_dir() and not old.is_symlink():
                shutil.rmtree(str(old))
            else:
                old.unlink()
        for new in fresh.iterdir():
            os.replace(str(new), str(folder / new.name))
    finally:
        shutil.rmtree(str(fresh), ignore_errors=True)


class _BoundedInfo(tarfile.TarInfo):
    """An entry whose headers are read when they are short only, as tarfile reads each at once, however long it is."""

    def _proc_member(self, tar: tarfile.TarFile) -> Any:
        if self.type == tarfile.GNUTYPE_SPARSE:
            raise ArchiveError(f"{self.name}: only files and folders are taken, no sparse files")
        if self.type not in (*tarfile.REGULAR_TYPES, *_BODILESS) and self.size > TAR_HEADER_BYTES:
            raise ArchiveError(f"{self.name}: its header has more than {TAR_HEADER_BYTES} bytes")
        return super()._proc_member(tar)  # type: ignore[misc]

    def _proc_gnusparse_10(self, *_: Any) -> None:
        raise ArchiveError(f"{self.name}: only files and folders are taken, no sparse files")


def _unpack(tar: tarfile.TarFile, folder: Path) -> None:
    size = 0
    for entries, member in enumerate(tar, 1):
        tar.members = []  # type: ignore[attr-defined]  # it would keep them all
        size += member.size
        if not member.isfile() and not member.isdir():
            raise ArchiveError(f"{member.name}: only files and folders are taken, no links or devices")
        if member.name.startswith("/") or ".." in Path(member.name).parts or "\0" in member.name:
            raise ArchiveError(f"{member.name}: leaves the workload's folder")
        if entries > ENTRIES or size > UNPACKED_BYTES:
            raise ArchiveError(f"more than {ENTRIES} entries or {UNPACKED_BYTES} bytes")
        _write(tar, member, folder)


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    target = folder / member.name
    if member.isdir():
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    source = tar.extractfile(member)
    if source is None:
        raise ArchiveError(f"{member.name}: cannot be read")
    with source, target.open("wb") as file:
        shutil.copyfileobj(source, file)
    target.chmod(0o755 if member.mode & 0o100 else 0o644)
