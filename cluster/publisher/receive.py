"""Takes a publication's files from a tar into a folder of the scratch volume."""

import asyncio
import os
import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from cluster.publisher.errors import PublicationRefusedError, SourceSilentError
from cluster.publisher.limits import RECEIVE_SILENCE_SECONDS
from cluster.publisher.shapes import PublicationItem
from cluster.publisher.tar_reader import TarFile, TarLimits, TarSource, read_tar
from cluster.storage.layout import DESCRIPTOR, SITE, is_last


@dataclass(frozen=True)
class Received:
    """What came, as it was counted here."""

    bytes: int
    files: int


class PatientSource:
    """Reads from a stream that must not be silent for long."""

    def __init__(self, stream: TarSource) -> None:
        self._stream = stream

    async def readexactly(self, size: int, /) -> bytes:
        """Return so many bytes. Raises SourceSilentError when it ends, or nothing comes."""
        try:
            async with asyncio.timeout(RECEIVE_SILENCE_SECONDS):
                return await self._stream.readexactly(size)
        except asyncio.IncompleteReadError:
            raise SourceSilentError("the tar ends in the middle: its worker, or the upload, was ended") from None
        except TimeoutError:
            text = f"nothing came from the worker, or from who uploads, for {RECEIVE_SILENCE_SECONDS:.0f} seconds"
            raise SourceSilentError(text) from None


async def receive(
    source: TarSource, folder: Path, limits: TarLimits, items: Sequence[PublicationItem] | None
) -> Received:
    """Write a tar's files below `folder/first`, and descriptors, which are published last, below `folder/last`.

    `items`: what the tar is to hold, all of them and nothing beside; None: anything. Raises PublicationRefusedError
    and OSError, and what `source` raises; then nothing is left of it.
    """
    try:
        roots = {False: folder / "first", True: folder / "last"}
        for root in roots.values():
            root.mkdir(parents=True)
        size = files = 0
        paths = {item.path for item in items or ()}
        async for file in read_tar(source, limits):
            if items is not None and not _is_below(file.path, paths):
                raise PublicationRefusedError(f"the worker sends {file.path!r}, which it did not say that it wrote")
            await _write(file, roots[is_last(file.path)] / file.path)
            size, files = size + file.size, files + 1
        for item in items or ():
            if not (roots[True] / item.descriptor).is_file():
                text = f"the worker says that it wrote {item.descriptor!r}, and does not send it"
                raise PublicationRefusedError(text)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return Received(size, files)


def _is_below(file: str, paths: Collection[str]) -> bool:
    """Return whether a file is below one of the paths; there may be as many of both as there are files."""
    return "" in paths or any(file[: at + 1] in paths for at, letter in enumerate(file) if letter == "/")


async def _write(file: TarFile, target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        opened = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        raise PublicationRefusedError(f"the worker sends {file.path!r} twice, or as file and folder") from None
    with os.fdopen(opened, "wb", buffering=0) as written:
        async for piece in file.content:
            written.write(piece)
    await asyncio.sleep(0)  # small files come without a wait; others have their turn


def find_items(folder: Path) -> tuple[PublicationItem, ...]:
    """Return what was received from somebody who did not say what it is: by its descriptors alone."""
    last = folder / "last"
    found = []
    if (last / SITE).is_file():
        found.append(PublicationItem(kind="site", source=f"data/{SITE}", path=""))
    for descriptor in sorted(last.rglob(DESCRIPTOR)):
        below = descriptor.parent.relative_to(last).as_posix()
        path = "" if below == "." else f"{below}/"
        try:
            found.append(PublicationItem(kind="data package", source=f"data/{path}".rstrip("/"), path=path))
        except ValidationError as error:
            raise PublicationRefusedError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None
    return tuple(found)
