"""Publishes what a Job's pipelines have staged: charts/dppctl-pipelines runs it in dppctl's image when they have ended.

    python3 -m cluster.publisher.staged --publication FOLDER --to /storage
    python3 -m cluster.publisher.staged --publication FOLDER --to storage:BUCKET/PATH --url URL --password-file FILE

FOLDER was written by `worker run --publication`, in a container where people's code ran too: nothing of it is believed.
For a bucket an rclone runs beside it in the pod, which ends when it is told to; or, by a probe, when nothing listens
on this one's port any more.
"""

import argparse
import asyncio
import fcntl
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
from pydantic import ValidationError

from bot.errors import DppctlError, PermanentError, reason_of
from cluster.publisher.engines.bucket import BucketEngine
from cluster.publisher.engines.engine import StorageEngine
from cluster.publisher.engines.folder import FolderEngine
from cluster.publisher.engines.rclone import Rclone
from cluster.publisher.errors import PublicationRefusedError
from cluster.publisher.limits import MAX_ITEMS, MAX_REQUEST_BYTES, STAGED_MAKING_SECONDS, STAGED_TRIES
from cluster.publisher.publish import publish
from cluster.publisher.receive import receive
from cluster.publisher.shapes import PublicationItem
from cluster.publisher.tar_reader import TarLimits
from cluster.publisher.tar_writer import write_tar
from cluster.storage.layout import Pointer, Prefix, make_id

_ALONE = Prefix("")  # a Job's volume, or the path in its bucket, is its environment's
_LIMITS = TarLimits(bytes=2**50, files=10**7)  # of an app's own storage: its disk is the limit
ALIVE_PORT = 8095


class _Staged:
    """Reads a folder as a worker's tar."""

    def __init__(self, folder: Path) -> None:
        self._pieces: AsyncIterator[bytes] = write_tar([folder])
        self._rest = b""

    async def readexactly(self, size: int, /) -> bytes:
        """Return so many bytes."""
        while len(self._rest) < size:
            self._rest += await anext(self._pieces)
        given, self._rest = self._rest[:size], self._rest[size:]
        return given


def read_items(folder: Path) -> list[PublicationItem]:
    """Return what was staged. Raises PublicationRefusedError."""
    file = folder / "items.json"
    try:
        with open(os.open(file, os.O_RDONLY | os.O_NOFOLLOW), "rb") as opened:
            found = json.loads(opened.read(MAX_REQUEST_BYTES))["items"]
        if len(found) > MAX_ITEMS:
            raise PublicationRefusedError(f"more than {MAX_ITEMS:,} data packages were written; publish fewer")
        return [PublicationItem.model_validate(item) for item in found]
    except FileNotFoundError:
        return []  # nothing ran
    except (OSError, ValueError, KeyError, TypeError, ValidationError) as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        raise PublicationRefusedError(f"{file} is not what the worker writes: {reason}") from None


async def publish_staged(engine: StorageEngine, folder: Path, scratch: Path, url: str) -> str:
    """Publish what is in the folder, and return what to say of it. Raises DppctlError and OSError."""
    items = read_items(folder)
    if not items:
        return "there is nothing to publish"
    received = await receive(_Staged(folder / "files"), scratch / "received", _LIMITS, items)
    release = make_id(datetime.now(UTC), os.urandom(4).hex())
    for _ in range(STAGED_TRIES):
        now = datetime.now(UTC)
        oldest = now - timedelta(seconds=STAGED_MAKING_SECONDS)
        await publish(engine, scratch / "received", _ALONE, release, items, url, now, made_before=oldest)
        # Another Job may have written the pointer at the same time, without what this one had added.
        written = await engine.read(_ALONE.pointer)
        if written and all(Pointer.read(written).paths.get(item.path) == release for item in items):
            return f"published {received.files:,} files, {received.bytes:,} bytes, as release {release}"
    raise PermanentError("other runs published at the same time, again and again; let them run one after the other")


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    """Have a volume to oneself."""
    opened = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield
    finally:
        os.close(opened)


async def _to_bucket(options: argparse.Namespace) -> str:
    password = options.password_file.read_text().strip()
    alive = await asyncio.start_server(lambda _, writer: writer.close(), port=ALIVE_PORT)
    async with alive, aiohttp.ClientSession(trust_env=False) as session:
        rclone = Rclone(session, options.rclone, password)
        try:
            with tempfile.TemporaryDirectory(dir=options.scratch) as scratch:
                engine = BucketEngine(rclone, options.to)
                return await publish_staged(engine, options.publication, Path(scratch), options.url)
        finally:
            with suppress(DppctlError):
                await rclone.call("core/quit")


def main() -> None:
    """Publish, and say so, or end with one line that says why not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--publication", type=Path, required=True)
    parser.add_argument("--to", required=True)
    parser.add_argument("--url", default="")
    parser.add_argument("--rclone", default="http://127.0.0.1:5572")
    parser.add_argument("--password-file", type=Path)
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()))
    options = parser.parse_args()
    try:
        if options.to.startswith("/"):
            root = Path(options.to)
            with _locked(root), tempfile.TemporaryDirectory(dir=options.scratch) as scratch:
                said = asyncio.run(publish_staged(FolderEngine(root), options.publication, Path(scratch), ""))
        else:
            said = asyncio.run(_to_bucket(options))
    except (DppctlError, OSError) as error:
        sys.exit(reason_of(error))
    print(said)


if __name__ == "__main__":
    main()
