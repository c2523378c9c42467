"""The compiled files of dpp's packages: of 16 s of processor time that an environment costs, compiling takes 14.

Environments with a workload's requirements hold the same packages as the plain one, linked from uv's cache, so what was
compiled there holds here too.
"""

import os
import shutil
import struct
from collections.abc import Sequence
from importlib.util import source_from_cache
from pathlib import Path


def take_compiled_files(source: Path, target: Path) -> list[Path]:
    """Link the compiled files of an environment into another one; copy them where the disk has no such links.

    Return the sources there that are still to be compiled: with uv's links hardly any; where it copies, times are
    others, and what does not fit is left out.
    """
    left: list[Path] = []
    for compiled in (source / "lib").rglob("__pycache__/*.pyc"):
        place = target / compiled.relative_to(source)
        try:
            text = Path(source_from_cache(place))
            if _fits(compiled, text):
                place.parent.mkdir(exist_ok=True)
                _link(compiled, place)
            else:
                left.append(text)
        except (FileExistsError, FileNotFoundError, ValueError):  # it has none, or it is none of Python's
            continue
    return left


def compile_command(folder: Path, sources: Sequence[Path]) -> list[str]:
    """Return the command that compiles these files, or what is below these folders, of an environment."""
    return [str(folder / "bin" / "python"), "-m", "compileall", "-q", "-j", "0", *map(str, sources)]


def _fits(compiled: Path, source: Path) -> bool:
    """Tell whether it was made of a source of this time and size (https://peps.python.org/pep-0552/)."""
    found = source.stat()
    with compiled.open("rb") as file:
        header = file.read(16)
    return header[4:] == struct.pack("<3I", 0, int(found.st_mtime) & 0xFFFFFFFF, found.st_size & 0xFFFFFFFF)


def _link(file: Path, place: Path) -> None:
    try:
        os.link(file, place)
    except FileExistsError:
        raise
    except OSError:
        shutil.copy2(file, place)
