"""Files that Git LFS keeps, in whose place git has a pointer.

https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md

A pipeline that read the pointer would load three lines of text over good data. So the file itself is put there, or
nothing is.
"""

import os
import re
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from bot.errors import PermanentError
from bot.git.command import Git
from bot.git.errors import GitError, PermanentGitError
from bot.git.origin import Origin
from bot.limits import LFS_DAYS

MAX_POINTER_BYTES = 1024  # the specification's: a pointer is smaller than that
_POINTER = re.compile(
    rb"version https://(?:git-lfs|hawser)\.github\.com/spec/v1\n"
    rb"(?P<extensions>(?:ext-[0-9]-[a-z0-9.-]+ [^\r\n]+\n)*)"
    rb"oid sha256:(?P<oid>[0-9a-f]{64})\n"
    rb"size (?P<size>[0-9]{1,18})\n"
)
# The server has not got it, whoever asks: https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md
_GONE = re.compile(
    r"not exist on the server|remote missing object|(?:\[|HTTP )(?:404|410|422)\b|not found|no such file", re.IGNORECASE
)


class LfsPointer(NamedTuple):
    """What stands in the place of a file: the sha256 of its content, and its size; extended: a program made it."""

    oid: str
    size: int
    extended: bool


def read_pointer(content: bytes) -> LfsPointer | None:
    """Return the pointer that a file is, or None for a file of another form."""
    found = _POINTER.fullmatch(content) if len(content) < MAX_POINTER_BYTES else None
    return LfsPointer(found["oid"].decode(), int(found["size"]), bool(found["extensions"])) if found else None


def find_content(origin: Origin, pointer: LfsPointer) -> Path | None:
    """Return the file with a pointer's content, or None when it is not on this disk."""
    file = origin.data / "lfs" / "objects" / pointer.oid[:2] / pointer.oid[2:4] / pointer.oid
    with suppress(FileNotFoundError):
        if file.stat().st_size == pointer.size:
            return file
    return None


def fetch_contents(git: Git, origin: Origin, commit: str, path: str, pointers: Mapping[str, LfsPointer]) -> None:
    """Have the contents of all pointers (by their path) on this disk; `path`: the folder of the commit they lie below.

    Raises PermanentError, which names a file, when a content cannot be had; GitError for a server that is away.
    """
    for name, pointer in pointers.items():
        if pointer.extended:
            raise PermanentError(f"{name}: Git LFS keeps this file by an extension, which dppctl does not run")
    missing = [name for name, pointer in pointers.items() if find_content(origin, pointer) is None]
    if missing:
        _fetch(git, origin, commit, path, missing[0])
    for name, pointer in pointers.items():
        file = find_content(origin, pointer)
        if file is None:
            raise PermanentError(f"{name}: Git LFS keeps this file, and its content is not on the server; push it")
        if origin.url is not None:
            os.utime(file)
    if missing:
        _remove_old(origin)


def _fetch(git: Git, origin: Origin, commit: str, path: str, name: str) -> None:
    kept = f"{name}: Git LFS keeps this file"
    if origin.url is None:
        raise PermanentError(f"{kept}, and its content is not in this clone; get it with: git lfs pull")
    if shutil.which("git-lfs") is None:
        raise PermanentError(f"{kept}, and the program git-lfs is not installed here; install it, then deploy again")
    # Said here, for `.lfsconfig`, which a push can change, could name any server.
    config = {
        "lfs.url": f"{origin.url}/info/lfs" if origin.url.startswith("http") else origin.url,
        "remote.origin.url": origin.url,
        "lfs.fetchrecentalways": "false",
    }
    chosen = (f"--include={path}", "--exclude=")
    try:
        git.run(origin.folder, "lfs", "fetch", *chosen, "origin", commit, config=config)
    except GitError as error:
        said = str(error).partition("Errors logged to")[0]  # a path, in which anything may stand
        if isinstance(error, PermanentGitError) or _GONE.search(said):
            raise PermanentError(f"{kept}, and its content cannot be fetched: {error}") from None
        raise


def _remove_old(origin: Origin) -> None:
    """Remove contents that no export needed for long, so that they do not fill the disk."""
    if origin.url is None:
        return
    for file in (origin.data / "lfs" / "objects").glob("*/*/*"):
        with suppress(FileNotFoundError):
            if file.stat().st_mtime < time.time() - LFS_DAYS * 86_400:
                file.unlink()
