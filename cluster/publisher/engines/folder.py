"""The storage in a folder: of this machine, or a volume of the cluster.

What is half there has a hidden name, and no server shows it; a rename makes it a release.
"""

import asyncio
import ctypes
import os
import shutil
from contextlib import suppress
from pathlib import Path

from cluster.storage.layout import MAX_POINTER_BYTES, Prefix

_HALF = ".half-"


class FolderEngine:
    """Keeps publications below a folder. One publisher writes to it at a time."""

    keeps_stable_files = False  # a folder is shown by our server, which knows the pointer

    def __init__(self, root: Path) -> None:
        """Take the folder, and remove what a killed publisher left half of runs' publications. Raises OSError."""
        self._root = root
        root.mkdir(parents=True, exist_ok=True)
        for half in root.glob(f"{_HALF}*"):
            shutil.rmtree(half)

    async def place(self, received: Path, target: str) -> None:
        """Copy it beside its name, and rename it; what has the name already is whole, from a try before."""
        await asyncio.to_thread(self._place, received, self._root / target)

    async def read(self, path: str) -> bytes | None:
        """Return a small file's content; None: there is no such file."""
        try:
            with (self._root / path).open("rb") as file:
                return file.read(MAX_POINTER_BYTES)
        except (FileNotFoundError, NotADirectoryError):
            return None

    async def write(self, path: str, content: bytes) -> None:
        """Write a file beside it, and rename that."""
        await asyncio.to_thread(_replace, self._root / path, content)

    async def releases(self, prefix: Prefix) -> list[str]:
        """Return the names of the releases that are there."""
        try:
            return [entry.name.removeprefix(_HALF) for entry in os.scandir(self._root / prefix.releases)]
        except FileNotFoundError:
            return []

    async def delete(self, path: str) -> None:
        """Delete a folder, and what may be half of it."""
        folder = self._root / path
        for found in (folder, folder.with_name(_HALF + folder.name)):
            with suppress(FileNotFoundError):
                await asyncio.to_thread(shutil.rmtree, found)

    def _place(self, received: Path, target: Path) -> None:
        if target.exists():
            return
        half = target.with_name(_HALF + target.name)
        target.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            shutil.rmtree(half)
        half.mkdir()
        for name in ("first", "last"):
            shutil.copytree(received / name, half, copy_function=shutil.copyfile, dirs_exist_ok=True)
        _sync_file_system(half)  # the pointer must not come to the disk before what it names
        os.rename(half, target)
        _sync_folder(target.parent)


def _replace(target: Path, content: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    with part.open("wb") as written:
        written.write(content)
        written.flush()
        os.fsync(written.fileno())
    os.replace(part, target)
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _sync_file_system(folder: Path) -> None:
    """Wait until all that was written is on the disk. With a wait for each file, 10,000 took five times as long.

    https://man7.org/linux/man-pages/man2/syncfs.2.html
    """
    syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if syncfs is None:
        os.sync()
        return
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if syncfs(opened):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(folder))
    finally:
        os.close(opened)
