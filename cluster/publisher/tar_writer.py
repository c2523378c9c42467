"""Writes folders as one tar, a piece at a time: regular files only, as `tar_reader` reads them."""

import os
import stat
import tarfile
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

from cluster.publisher.limits import PIECE_BYTES


async def write_tar(folders: Iterable[Path]) -> AsyncIterator[bytes]:
    """Yield an uncompressed tar of all files below the folders, those of the first one first. Raises OSError."""
    for top in folders:
        for folder, names, files in os.walk(top):
            names.sort()
            for name in sorted(files):
                path = Path(folder, name)
                if not stat.S_ISREG(path.lstat().st_mode):
                    continue
                header = tarfile.TarInfo(path.relative_to(top).as_posix())
                with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
                    header.size = left = os.fstat(file.fileno()).st_size
                    yield header.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
                    while left:
                        piece = file.read(min(left, PIECE_BYTES))
                        left -= len(piece)
                        yield piece
                    yield b"\0" * (-header.size % tarfile.BLOCKSIZE)
    yield b"\0" * (2 * tarfile.BLOCKSIZE)
