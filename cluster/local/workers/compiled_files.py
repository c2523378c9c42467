"""The compiled files of dpp's packages: of 16 s of processor time that an environment costs, compiling takes 14.

Environments with a workload's requirements hold the same packages as the plain one, linked from uv's cache, so what was
compiled there holds here too.
"""

import os
import shutil
from contextlib import suppress
from pathlib import Path


def take_compiled_files(source: Path, target: Path) -> None:
    """Link the compiled files of an environment into another one; copy them where the disk has no such links.

    A file that is gone is left out, as is one that the target has. Python itself sees whether the source of a compiled
    file has the time and the size that it was made of, so none that does not fit does harm.
    """
    for compiled in (source / "lib").rglob("__pycache__/*.pyc"):
        place = target / compiled.relative_to(source)
        with suppress(FileExistsError, FileNotFoundError):
            if not place.parent.parent.is_dir():
                continue
            place.parent.mkdir(exist_ok=True)
            try:
                os.link(compiled, place)
            except (FileExistsError, FileNotFoundError):
                raise
            except OSError:
                shutil.copy2(compiled, place)


def compile_command(folder: Path) -> list[str]:
    """Return the command that compiles what is not compiled in an environment, with a line for each file."""
    return [str(folder / "bin" / "python"), "-m", "compileall", "-j", "0", str(folder / "lib")]
