"""What of a workload goes into its environment: the contents of its requirements.txt and of all that it refers to.

Two workloads with the same contents have the same key. A folder that is used in its place (`-e`) belongs to that
folder alone.
"""

import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bot.errors import PermanentError
from bot.model.requirements import REQUIREMENTS, RequirementPath, references

_SPEC = "pipeline-spec.yaml"
_SETTINGS = ("uv.toml", "pyproject.toml")  # uv's own, which it reads where it runs
_BUILT = ("lib", "bdist.", "temp.", "__editable__.")  # in a folder `build`: what setuptools leaves


@dataclass(frozen=True)
class Contents:
    """What an environment is made of, beside dpp's lock."""

    key: bytes
    builds: bool = False  # it has files of the workload in it
    in_place: bool = False  # it leads to the workload's folder, and is for that folder alone


def requirement_contents(workload: Path) -> Contents | None:
    """Return the contents; None when the workload has no requirements.txt.

    Raises PermanentError, with file and line, for a file that cannot be read, does not exist, or lies elsewhere.
    """
    file = workload / REQUIREMENTS
    if not file.is_file():
        return None
    found = references(workload)
    root = workload.resolve()
    digest = hashlib.sha256()
    in_place = any(reference.kind == "editable" for reference in found)
    try:
        for settings in (file, *(root / name for name in _SETTINGS)):
            digest.update(b"\0" + (settings.read_bytes() if settings.is_file() else b""))
        for reference in found:
            digest.update(f"\0{reference.kind} {reference.path.relative_to(root)}\0".encode())
            for name, content in _files(reference, set()):
                digest.update(os.fsencode(name) + b"\0" + content)
    except OSError as error:
        raise PermanentError(f"{error.filename or file}: {error.strerror or error}") from None
    if in_place:
        digest.update(b"\0" + os.fsencode(root))
    builds = any(reference.kind != "requirements" for reference in found)
    return Contents(digest.digest(), builds, in_place)


@contextmanager
def without_build_folders(workload: Path) -> Iterator[None]:
    """Remove at the end what setuptools leaves in the projects that are built meanwhile, and was not there before.

    From its `build` a module that was deleted would get into the next package.
    """
    projects = [reference.path for reference in references(workload) if reference.kind == "project"]
    before = {path for project in projects for path in _left(project)}
    try:
        yield
    finally:
        for path in {path for project in projects for path in _left(project)} - before:
            shutil.rmtree(path, ignore_errors=True)


def _left(project: Path) -> list[Path]:
    return [*project.glob("build"), *project.glob("*.egg-info"), *project.glob("src/*.egg-info")]


def _files(reference: RequirementPath, seen: set[Path]) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a reference, by name, with their contents' digests; `seen`: folders that links led to."""
    if reference.path.is_file():
        yield reference.path.name, _digest(reference.path)
        return
    for folder, folders, files in os.walk(reference.path, followlinks=False):
        folders[:] = sorted(name for name in folders if not _is_made(Path(folder), name, reference))
        for name in sorted([*files, *(name for name in folders if os.path.islink(os.path.join(folder, name)))]):
            path = Path(folder, name)
            if name.endswith(".pyc"):
                continue
            if path.is_symlink():
                yield f"{path.relative_to(reference.path)} -> {os.readlink(path)}", _linked(path, seen)
            elif stat.S_ISREG(path.stat().st_mode):
                yield str(path.relative_to(reference.path)), _digest(path)


def _linked(path: Path, seen: set[Path]) -> bytes:
    """Return the digest of the file, or the names and digests of those in the folder, that a link leads to."""
    if path.is_file():
        return _digest(path)
    inside = RequirementPath("packages", Path(os.path.realpath(path)), "")
    if not path.is_dir() or path.absolute().is_relative_to(inside.path) or inside.path in seen:
        return b""  # nowhere, in a circle, or counted
    seen.add(inside.path)
    return b"\0".join(os.fsencode(name) + content for name, content in _files(inside, seen))


def _digest(file: Path) -> bytes:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").digest()


def _is_made(folder: Path, name: str, reference: RequirementPath) -> bool:
    """Tell whether a folder is no source: caches, what builds and runs leave, other environments."""
    if name.startswith(".") or name == "__pycache__" or name.endswith(".egg-info"):
        return True
    if folder.name == "build" and name.startswith(_BUILT):
        return True
    # What runs write is of no interest to code that is used where it is; a package to be built may hold it.
    if reference.kind == "editable" and name == "data" and (folder / _SPEC).exists():
        return True
    return (folder / name / "pyvenv.cfg").exists()
