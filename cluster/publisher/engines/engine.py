"""What the publisher asks of where publications are kept."""

from pathlib import Path
from typing import Protocol

from cluster.storage.layout import Prefix


class StorageEngine(Protocol):
    """A storage. All calls can be made again after a kill, and raise DppctlError or OSError.

    Paths are of the storage, below its top: `ann+data/production/current.json`.
    """

    keeps_stable_files: bool
    """Whether readers may come without our storage server, so that stable addresses must be files of their own."""

    async def place(self, received: Path, target: str) -> None:
        """Put what was received (`first`, `last`) below `target`, descriptors last. Nothing else is to be there."""

    async def read(self, path: str) -> bytes | None:
        """Return a small file's content; None: there is no such file."""

    async def write(self, path: str, content: bytes) -> None:
        """Write a small file: the whole of it replaces what was there, from one moment to the next."""

    async def releases(self, prefix: Prefix) -> list[str]:
        """Return the names of the releases that are there, half ones too."""

    async def delete(self, path: str) -> None:
        """Delete a folder and all below it; it may be gone already."""
