"""Copies of repositories that git left in a bad state: what a git that was killed leaves goes, and no copy is for ever.

A copy belongs to one process, which runs one git at a time that writes there. So what looks as if a git were at work is
what one left that was killed, or whose machine went away.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bot.git.errors import CopyError
from bot.limits import LOOSE_OBJECTS, PACKS

_BROKEN = "dppctl-broken"  # in a copy: that it is to be made anew
# As git names them: https://git-scm.com/docs/gitrepository-layout. No ref can end with .lock; a fetch keeps its pack
# (.keep) until its refs are written.
_REMAINS = (
    "*.lock",
    "refs/**/*.lock",
    "objects/**/*.lock",
    "objects/**/tmp_*",
    "objects/pack/.tmp-*",
    "objects/pack/*.keep",
    "fast_import_crash_*",
    "gc.pid",
    "lfs/incomplete/*",
    "lfs/tmp/*",
)
_SUBMODULES = "modules/*"


def remove_remains(copy: Path, *, submodules: bool = False) -> None:
    """Remove what an ended git left in a copy, such as locks and half a pack; and in the copies of its submodules."""
    for file in [file for pattern in _REMAINS for file in copy.glob(pattern)]:
        if file.is_dir() and not file.is_symlink():
            shutil.rmtree(file, ignore_errors=True)
        else:
            with suppress(OSError):
                file.unlink()
    if submodules:
        for below in copy.glob(_SUBMODULES):
            remove_remains(below, submodules=True)


@contextmanager
def noting_broken(copy: Path) -> Iterator[None]:
    """Note for the next refresh of a copy that git could not use it in this context; the error goes on."""
    try:
        yield
    except CopyError:
        with suppress(OSError):
            (copy / _BROKEN).touch()
        raise


def is_broken(copy: Path) -> bool:
    """Return whether a copy is to be made anew."""
    return (copy / _BROKEN).exists()


def is_untidy(copy: Path) -> bool:
    """Return whether `git gc --auto` would do anything, as it looks itself, without starting it.

    https://git-scm.com/docs/git-config#Documentation/git-config.txt-gcauto: some 6,700 loose objects, by one folder of
    256, or 50 packs.
    """
    loose, packs = copy / "objects" / "17", copy / "objects" / "pack"
    return sum(1 for _ in loose.glob("*")) > LOOSE_OBJECTS / 256 or sum(1 for _ in packs.glob("*.pack")) > PACKS


def put_in_place(fresh: Path, copy: Path) -> None:
    """Let a new copy take the place of the old one. When that is cut short, there is none, which is mended as ever."""
    old = beside(copy, "old")
    shutil.rmtree(old, ignore_errors=True)
    with suppress(FileNotFoundError):
        copy.rename(old)
    fresh.rename(copy)
    shutil.rmtree(old, ignore_errors=True)


def beside(copy: Path, what: str) -> Path:
    """Return a folder beside a copy, which no repository's name can lead to."""
    return copy.with_name(f"{copy.name}~{what}")
