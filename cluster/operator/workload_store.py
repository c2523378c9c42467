"""Uploaded workloads, each in a file that is named for its SHA-256: the same one is kept once, whoever runs it."""

import asyncio
import hashlib
import os
import tempfile
import time
from collections.abc import AsyncIterator, Collection
from contextlib import suppress
from pathlib import Path

from bot.errors import PermanentError
from cluster.limits import MAX_WORKLOAD_BYTES, UNUSED_WORKLOAD_SECONDS

_PART = ".part"


class WorkloadHashError(PermanentError):
    """What came has another hash than was said."""


class WorkloadTooLargeError(PermanentError):
    """What came is larger than workloads may be."""


class WorkloadStore:
    """A folder of workloads. All calls raise OSError, when the disk is full for instance."""

    def __init__(self, folder: Path) -> None:
        """Take the folder, which is made when it is not there, and remove what a kill left of uploads."""
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob(f"*{_PART}"):
            left.unlink(missing_ok=True)

    def path(self, digest: str) -> Path:
        """Return the file of a workload, which need not be there."""
        return self.folder / digest

    def has(self, digest: str) -> bool:
        """Return whether a workload is there; if so it stays for as long as one that has just come."""
        try:
            os.utime(self.path(digest))
        except FileNotFoundError:
            return False
        return True

    async def receive(self, digest: str, pieces: AsyncIterator[bytes]) -> None:
        """Keep a workload that comes in pieces. Raises WorkloadHashError and WorkloadTooLargeError."""
        handle, name = tempfile.mkstemp(suffix=_PART, dir=self.folder)
        part, size, found = Path(name), 0, hashlib.sha256()

        def keep(piece: bytes) -> None:
            found.update(piece)
            file.write(piece)

        def finish() -> None:
            file.flush()
            os.fsync(handle)
            part.rename(self.path(digest))

        try:
            with open(handle, "wb") as file:
                async for piece in pieces:
                    size += len(piece)
                    if size > MAX_WORKLOAD_BYTES:
                        raise WorkloadTooLargeError(f"the workload is larger than {MAX_WORKLOAD_BYTES:,} bytes")
                    await asyncio.to_thread(keep, piece)
                if found.hexdigest() != digest:
                    raise WorkloadHashError(f"what came has the SHA-256 {found.hexdigest()}, not {digest}")
                await asyncio.to_thread(finish)
        finally:
            part.unlink(missing_ok=True)

    def remove_unused(self, used: Collection[str]) -> None:
        """Remove workloads that no run names, and that came or were asked for long ago."""
        for path in self.folder.iterdir():
            with suppress(FileNotFoundError):
                if path.name not in used and time.time() - path.stat().st_mtime > UNUSED_WORKLOAD_SECONDS:
                    path.unlink()
