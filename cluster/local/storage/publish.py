"""The local storage: what runs published, a folder for each worker pod.

A copy, so that it stays as it was when the next run writes the same files. Links and hidden files are left out:
what is published is only what lies in the folder for everybody to see.
"""

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
    """Where that worker pod publishes to."""
    return data_dir() / "storage" / worker


def publish(workload: Path, spec_folders: Sequence[Path], since: float, target: Path) -> list[Published]:
    """Copy the data packages and the site that were written below `data/` of the spec folders.

    `since` is when the run began (seconds of the epoch); a spec folder is absolute or relative to the workload.
    `target` appears as a whole, or not at all when nothing was written; what it held before is replaced. Raises
    ClusterError when it cannot be written.
    """
    workload = workload.resolve()
    found: list[Published] = []
    copies: list[tuple[Path, Path]] = []
    for spec_folder in dict.fromkeys((workload / one).resolve() for one in spec_folders):
        data = spec_folder / "data"
        if data.is_symlink() or not data.is_dir() or not data.is_relative_to(workload):
            continue
        below = spec_folder.relative_to(workload)
        for kind, source in _written(data, since):
            place = source if kind == "data package" else source.parent
            path = (below / place.relative_to(data)).as_posix().removeprefix(".")
            found.append(Published(kind, source.relative_to(workload).as_posix(), path + "/" if path else ""))
            copies.append((place, below / place.relative_to(data)))
    if found:
        try:
            _copy_all(copies, target)
        except OSError as error:
            raise ClusterError(f"cannot publish to {target}: {error.strerror or error}") from error
    return found


def _written(data: Path, since: float) -> Iterator[tuple[Literal["data package", "site"], Path]]:
    """The site first, which holds the packages below it."""
    packages: list[Path] = []
    has_site = site_is_new = False
    for place, files in _walk(data):
        has_site = has_site or (place == data and _SITE in files)
        if (is_package := _PACKAGE in files) and _is_new(place / _PACKAGE, since):
            packages.append(place)
        site_is_new = site_is_new or (not is_package and any(_is_new(place / name, since) for name in files))
    if has_site and (site_is_new or _is_new(data / _SITE, since)):
        yield "site", data / _SITE
    for place in packages:
        yield "data package", place


def _is_new(file: Path, since: float) -> bool:
    """Some file systems keep whole or even seconds only; others take the time from a clock that ticks slowly."""
    written = file.stat().st_mtime
    return written >= since - (2 if written == int(written) else 0.02)


def _walk(top: Path) -> Iterator[tuple[Path, list[str]]]:
    """Folders with their plain files. Links, hidden files, pipes and the like do not count."""
    for place, folders, files in os.walk(top):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        here = Path(place)
        plain = [name for name in files if not name.startswith(".") and stat.S_ISREG((here / name).lstat().st_mode)]
        yield here, sorted(plain)


def _copy_all(copies: list[tuple[Path, Path]], target: Path) -> None:
    import tempfile  # costs more than it looks, and the keeper needs this file's `folder` only

    target.parent.mkdir(parents=True, exist_ok=True)
    half = Path(tempfile.mkdtemp(prefix=".", dir=target.parent))
    try:
        done: set[Path] = set()
        for place, below in copies:
            if any(place.is_relative_to(other) for other in done):
                continue
            for source, files in _walk(place):
                to = half / below / source.relative_to(place)
                to.mkdir(parents=True, exist_ok=True)
                for name in files:
                    shutil.copy2(source / name, to / name, follow_symlinks=False)
            done.add(place)
        if target.exists():
            target.rename(half / ".before")
        half.rename(target)
        shutil.rmtree(target / ".before", ignore_errors=True)
    except BaseException:
        shutil.rmtree(half, ignore_errors=True)
        raise
