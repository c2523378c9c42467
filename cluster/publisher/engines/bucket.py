"""The storage in a bucket, S3's or Google's, or anything that rclone knows: by rclone's daemon.

A bucket has no folders and no renames: descriptors are copied last, and the pointer after them.
"""

from pathlib import Path

from cluster.publisher.engines.rclone import Rclone, RcloneRefusedError
from cluster.publisher.limits import MAX_DESCRIPTOR_BYTES
from cluster.storage.layout import Prefix


class BucketEngine:
    """Keeps publications in a bucket, below `remote` (`storage:BUCKET/PATH`)."""

    keeps_stable_files = True

    def __init__(self, rclone: Rclone, remote: str) -> None:
        self._rclone, self._remote = rclone, remote if remote.endswith((":", "/")) else f"{remote}/"

    async def place(self, received: Path, target: str) -> None:
        """Copy the files, then the descriptors; what a try before copied is not copied again."""
        for name in ("first", "last"):
            await self._rclone.run(
                "sync/copy", srcFs=str(received / name), dstFs=self._remote + target, createEmptySrcDirs=False
            )

    async def read(self, path: str) -> bytes | None:
        """Return a small file's content; None: there is no such file."""
        return await self._rclone.download(self._remote, path, MAX_DESCRIPTOR_BYTES)

    async def write(self, path: str, content: bytes) -> None:
        """Write a small file; an object is replaced as a whole."""
        folder, _, name = path.rpartition("/")
        await self._rclone.upload(self._remote, folder, name, content)

    async def releases(self, prefix: Prefix) -> list[str]:
        """Return the names of the releases that are there."""
        options = {"dirsOnly": True, "noModTime": True, "noMimeType": True}
        try:
            answer = await self._rclone.call(
                "operations/list", fs=self._remote, remote=prefix.releases.rstrip("/"), opt=options
            )
        except RcloneRefusedError as error:
            if error.is_missing:
                return []
            raise
        return [entry["Name"] for entry in answer["list"] or ()]

    async def delete(self, path: str) -> None:
        """Delete all objects below a path."""
        try:
            await self._rclone.run("operations/purge", fs=self._remote, remote=path.rstrip("/"))
        except RcloneRefusedError as error:
            if not error.is_missing:
                raise
