"""The local storage: what runs published, a folder for each worker.

A copy, so that it stays as it was when the next run writes the same files. Links and hidden files are left out:
what is published is only what lies in the folder for everybody to see.
"""

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from cluster.errors import ClusterError
from cluster.local.folders import data_dir
from cluster.storage.written import WrittenItems


def storage_folder(worker: str) -> Path:
    """Return the folder that a worker publishes to."""
    return data_dir() / "storage" / worker


def publish(workload: Path, written: WrittenItems, target: Path) -> None:
    """Copy what a worker says that it wrote below the workload.

    `target` appears as a whole, or not at all when nothing was written; what it held before is replaced. Raises
    ClusterError when it cannot be written, or when something of it is not there in the workload.
    """
    workload = workload.resolve()
    for item in written.items:
        folder = workload / item.folder
        if folder.resolve() != folder or not folder.is_dir():
            raise ClusterError(f"nothing is published: the worker wrote no {item.source}, as it says")
    if written.items:
        try:
            _copy_all(workload, written, target)
        except OSError as error:
            raise ClusterError(f"cannot publish to {target}: {error.strerror or error}") from error


def _walk(top: Path) -> Iterator[tuple[Path, list[str]]]:
    """Yield folders with their plain files. Links, hidden files, pipes and the like do not count."""
    for name, folders, files in os.walk(top):
        folders[:] = sorted(below for below in folders if not below.startswith("."))
        folder = Path(name)
        plain = [file for file in files if not file.startswith(".") and stat.S_ISREG((folder / file).lstat().st_mode)]
        yield folder, sorted(plain)


def _copy_all(workload: Path, written: WrittenItems, target: Path) -> None:
    import tempfile  # costs more than it looks, and the supervisor needs this file's `storage_folder` only

    target.parent.mkdir(parents=True, exist_ok=True)
    half = Path(tempfile.mkdtemp(prefix=".", dir=target.parent))
    left_out = {workload / source for source in written.left_out}
    try:
        done: set[Path] = set()
        for item in written.items:
            top = workload / item.folder
            if done.intersection(top.parents):
                continue
            for folder, files in _walk(top):
                if left_out.intersection((folder, *folder.parents)):
                    continue
                to = half / item.path / folder.relative_to(top)
                to.mkdir(parents=True, exist_ok=True)
                for name in files:
                    shutil.copy2(folder / name, to / name, follow_symlinks=False)
            done.add(top)
        if target.exists():
            target.rename(half / ".before")
        half.rename(target)
        shutil.rmtree(target / ".before", ignore_errors=True)
    except BaseException:
        shutil.rmtree(half, ignore_errors=True)
        raise
