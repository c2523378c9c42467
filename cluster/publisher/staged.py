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
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
from pydantic import ValidationError

from bot.errors import DppctlError, PermanentError, reason_of
from cluster.publisher.bucket_listings import add_listings
from cluster.publisher.engines.bucket import BucketEngine
from cluster.publisher.engines.engine import StorageEngine
from cluster.publisher.engines.folder import FolderEngine
from cluster.publisher.engines.rclone import Rclone
from cluster.publisher.errors import PublicationRefusedError
from cluster.publisher.limits import MAX_ITEMS, MAX_REQUEST_BYTES, STAGED_MAKING_SECONDS, STAGED_TRIES
from cluster.publisher.publish import NewRelease
from cluster.publisher.receive import Received, receive
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
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        raise PublicationRefusedError(f"{file} is not what the worker writes: {reason}") from None


class StagedRelease:
    """What a Job's pipelines staged, on its way to one storage. All methods raise DppctlError and OSError.

    `place` comes first, then `make_current`, then `settle`; a release of nothing does nothing.
    """

    def __init__(self, engine: StorageEngine, folder: Path, scratch: Path, url: str) -> None:
        self._engine, self._folder, self._scratch, self._url = engine, folder, scratch, url
        self._counted = Received(0, 0)
        self._made: NewRelease | None = None
        self._pointer: Pointer | None = None
        self._before: bytes | None = None  # the pointer's file as it was
        self._is_switched = False  # or may be

    async def place(self) -> None:
        """Put it into the storage as a release, which nobody reads yet."""
        items = read_items(self._folder)
        if not items:
            return
        received = self._scratch / "received"
        self._counted = await receive(_Staged(self._folder / "files"), received, _LIMITS, items)
        if self._engine.keeps_stable_files:
            await asyncio.to_thread(add_listings, received, items)
        release = make_id(datetime.now(UTC), os.urandom(4).hex())
        self._made = NewRelease(self._engine, received, _ALONE, release, items, self._url)
        await self._made.place()
        self._before = await self._engine.read(_ALONE.pointer)
        self._pointer, _ = await self._made.next_pointer(datetime.now(UTC))

    async def make_current(self) -> None:
        """Have everybody read it: one small file is written, and nothing else."""
        if self._made and self._pointer:
            self._is_switched = True
            await self._made.write_pointer(self._pointer)

    async def take_back(self) -> None:
        """Have everybody read what was read before `make_current`."""
        if self._is_switched:
            nothing = Pointer(paths={}, published=datetime.now(UTC))
            await self._engine.write(_ALONE.pointer, self._before or nothing.write())

    async def settle(self) -> str:
        """Write what else leads to it, delete what nobody reads any more, and return what to say of it.

        Another Job may have written the pointer at the same time, without what this one had added: then it is
        written again.
        """
        if not (self._made and self._pointer):
            return "there is nothing to publish"
        for _ in range(STAGED_TRIES):
            await self._made.settle(self._pointer, datetime.now(UTC) - timedelta(seconds=STAGED_MAKING_SECONDS))
            self._pointer, is_current = await self._made.next_pointer(datetime.now(UTC))
            if is_current:
                counted = f"{self._counted.files:,} files, {self._counted.bytes:,} bytes"
                return f"published {counted}, as release {self._made.release}"
            await self._made.write_pointer(self._pointer)
        raise PermanentError("other runs published at the same time, again and again; let them run one after the other")


@dataclass(frozen=True)
class StagedTargets:
    """What was staged, and where it is to go: volumes' folders, buckets by way of an rclone."""

    publication: Path = Path()
    to: Sequence[str] = ()
    url: str = ""
    rclone: str = ""
    password_file: Path | None = None
    scratch: Path | None = None


NOWHERE = StagedTargets()


def add_options(parser: argparse.ArgumentParser, *, is_required: bool) -> None:
    """Have a program take what `places_of` reads."""
    parser.add_argument("--publication", type=Path, required=is_required)
    parser.add_argument("--to", action="append", default=[], required=is_required)
    parser.add_argument("--url", default="")
    parser.add_argument("--rclone", default="http://127.0.0.1:5572")
    parser.add_argument("--password-file", type=Path)
    parser.add_argument("--scratch", type=Path)


def staged_targets(options: argparse.Namespace) -> StagedTargets:
    """Return what the program was told."""
    names = ("publication", "to", "url", "rclone", "password_file", "scratch")
    return StagedTargets(**{name: getattr(options, name) for name in names})


@asynccontextmanager
async def open_releases(places: StagedTargets) -> AsyncIterator[list[StagedRelease]]:
    """Give a release for each place, and have it to oneself. Raises OSError."""
    async with AsyncExitStack() as opened:
        releases = []
        for to in places.to:
            scratch = Path(opened.enter_context(tempfile.TemporaryDirectory(dir=places.scratch)))
            if to.startswith("/"):
                opened.enter_context(_locked(Path(to)))
                engine: StorageEngine = FolderEngine(Path(to))
            else:
                engine = BucketEngine(await opened.enter_async_context(_rclone(places)), to)
            releases.append(StagedRelease(engine, places.publication, scratch, places.url))
        yield releases


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    """Have a volume to oneself."""
    opened = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield
    finally:
        os.close(opened)


@asynccontextmanager
async def _rclone(places: StagedTargets) -> AsyncIterator[Rclone]:
    """Give the pod's rclone, which ends with the block."""
    password = places.password_file.read_text().strip() if places.password_file else ""
    alive = await asyncio.start_server(lambda _, writer: writer.close(), port=ALIVE_PORT)
    async with alive, aiohttp.ClientSession(trust_env=False) as session:
        rclone = Rclone(session, places.rclone, password)
        try:
            yield rclone
        finally:
            with suppress(DppctlError):
                await rclone.call("core/quit")


async def publish_staged(places: StagedTargets) -> list[str]:
    """Publish what was staged, and return what to say of it. Raises DppctlError and OSError."""
    async with open_releases(places) as releases:
        for release in releases:
            await release.place()
            await release.make_current()
        return [await release.settle() for release in releases]


def main() -> None:
    """Publish, and say so, or end with one line that says why not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser, is_required=True)
    try:
        said = asyncio.run(publish_staged(staged_targets(parser.parse_args())))
    except (DppctlError, OSError) as error:
        sys.exit(reason_of(error))
    print(*said, sep="\n")


if __name__ == "__main__":
    main()
