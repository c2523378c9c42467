"""The local storage: what runs published, a folder for each worker.

A copy, so that it stays as it was when the next run writes the same files. Links and hidden files are left out:
what is published is only what lies in the folder for everybody to see.
"""

import json
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cluster.errors import ClusterError
from cluster.local.folders import data_dir

_PACKAGE = "datapackage.json"
_SITE = "index.html"


@dataclass(frozen=True)
class Published:
    kind: Literal["data package", "site"]
    source: str
    """Below the workload: `data/committees`, `data/index.html`."""
    path: str
    """Below the worker's storage: `committees/`; empty for all of it."""


def storage_folder(worker: str) -> Path:
    """Return the folder that a worker publishes to."""
    return data_dir() / "storage" / worker


@dataclass(frozen=True)
class Ran:
    """When a pipeline ran, in seconds of the epoch, and how it ended."""

    began: float
    ended: float
    succeeded: bool
    hash: str = ""  # of its data package, as dpp counts it


def publish(
    workload: Path, spec_folders: Sequence[Path], since: float, target: Path, ran: Sequence[Ran] = ()
) -> tuple[list[Published], list[str]]:
    """Copy the data packages and the site that were written below `data/` of the spec folders.

    `since` is when the run began (seconds of the epoch); a spec folder is absolute or relative to the workload.
    `ran`: its pipelines; empty: all of them succeeded. Returns what was published, and what was not, by its path,
    because it is of pipelines that did not succeed. `target` appears
    as a whole, or not at all when nothing was written; what it held before is replaced. Raises ClusterError when it
    cannot be written.
    """
    workload = workload.resolve()
    found: list[Published] = []
    left_out: list[Path] = []
    copies: list[tuple[Path, Path]] = []
    for spec_folder in dict.fromkeys((workload / folder).resolve() for folder in spec_folders):
        data = spec_folder / "data"
        if data.is_symlink() or not data.is_dir() or not data.is_relative_to(workload):
            continue
        below = spec_folder.relative_to(workload)
        for kind, source in _written(data, since):
            if any(_is_of_failed(file, ran) for file in _own_files(kind, source)):
                left_out.append(source)
                continue
            folder = source if kind == "data package" else source.parent
            path = (below / folder.relative_to(data)).as_posix().removeprefix(".")
            found.append(Published(kind, source.relative_to(workload).as_posix(), path + "/" if path else ""))
            copies.append((folder, below / folder.relative_to(data)))
    if found:
        try:
            _copy_all(copies, target, left_out)
        except OSError as error:
            raise ClusterError(f"cannot publish to {target}: {error.strerror or error}") from error
    return found, [source.relative_to(workload).as_posix() for source in left_out]


def _is_of_failed(file: Path, ran: Sequence[Ran]) -> bool:
    """Tell whether a pipeline that did not succeed wrote this file, or may have: it ran then.

    Of pipelines side by side, that which succeeded is known by the hash of its data package.
    """
    written = file.stat().st_mtime
    during = [pipeline for pipeline in ran if _is_new(file, pipeline.began) and written <= pipeline.ended + 0.02]
    if all(pipeline.succeeded for pipeline in during):
        return False
    return file.name != _PACKAGE or _hash(file) not in {pipeline.hash for pipeline in during if pipeline.succeeded}


def _own_files(kind: str, source: Path) -> Iterator[Path]:
    """Yield the files that tell whose it is: a package's descriptor, and of a site what lies in no package."""
    if kind == "data package":
        yield source / _PACKAGE
        return
    for folder, files in _walk(source.parent):
        if _PACKAGE not in files:
            yield from (folder / name for name in files)


def _hash(package: Path) -> str:
    try:
        return str(json.loads(package.read_text(encoding="utf-8")).get("hash"))
    except (OSError, ValueError, AttributeError):
        return ""


def _written(data: Path, since: float) -> Iterator[tuple[Literal["data package", "site"], Path]]:
    """Yield what was written: the site first, which holds the packages below it."""
    packages: list[Path] = []
    has_site = site_is_new = False
    for folder, files in _walk(data):
        has_site = has_site or (folder == data and _SITE in files)
        if (is_package := _PACKAGE in files) and _is_new(folder / _PACKAGE, since):
            packages.append(folder)
        site_is_new = site_is_new or (not is_package and any(_is_new(folder / name, since) for name in files))
    if has_site and (site_is_new or _is_new(data / _SITE, since)):
        yield "site", data / _SITE
    for package in packages:
        yield "data package", package


def _is_new(file: Path, since: float) -> bool:
    """Tell whether a file was written since then.

    Some file systems keep whole or even seconds only; others take the time from a clock that ticks slowly.
    """
    written = file.stat().st_mtime
    return written >= since - (2 if written == int(written) else 0.02)


def _walk(top: Path) -> Iterator[tuple[Path, list[str]]]:
    """Yield folders with their plain files. Links, hidden files, pipes and the like do not count."""
    for name, folders, files in os.walk(top):
        folders[:] = sorted(below for below in folders if not below.startswith("."))
        folder = Path(name)
        plain = [file for file in files if not file.startswith(".") and stat.S_ISREG((folder / file).lstat().st_mode)]
        yield folder, sorted(plain)


def _copy_all(copies: list[tuple[Path, Path]], target: Path, left_out: Sequence[Path]) -> None:
    import tempfile  # costs more than it looks, and the supervisor needs this file's `folder` only

    target.parent.mkdir(parents=True, exist_ok=True)
    half = Path(tempfile.mkdtemp(prefix=".", dir=target.parent))
    try:
        done: set[Path] = set()
        for folder, below in copies:
            if any(folder.is_relative_to(other) for other in done):
                continue
            for source, files in _walk(folder):
                if any(source.is_relative_to(other) for other in left_out):
                    continue
                to = half / below / source.relative_to(folder)
                to.mkdir(parents=True, exist_ok=True)
                for name in files:
                    shutil.copy2(source / name, to / name, follow_symlinks=False)
            done.add(folder)
        if target.exists():
            target.rename(half / ".before")
        half.rename(target)
        shutil.rmtree(target / ".before", ignore_errors=True)
    except BaseException:
        shutil.rmtree(half, ignore_errors=True)
        raise
