"""A folder for a worker's own files: it goes with the worker, or with the start of a later one when it was killed."""

import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from typing import IO

_PREFIX = "dppctl-run-"
_LOCK = "lock"


class Scratch:
    """The folder, until `close`."""

    def __init__(self) -> None:
        """Make it, and remove those of workers that are gone. Raises OSError when there is no room for it."""
        _remove_abandoned(Path(tempfile.gettempdir()))
        self.folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        self._lock = _locked(self.folder / _LOCK, "w")

    def close(self) -> None:
        """Remove it."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self._lock.close()


def _remove_abandoned(above: Path) -> None:
    for folder in above.glob(_PREFIX + "*"):
        try:
            if folder.is_symlink() or folder.stat().st_uid != os.getuid():
                continue
            _locked(folder / _LOCK, "r").close()
        except OSError:
            continue  # its worker lives, or makes it right now
        shutil.rmtree(folder, ignore_errors=True)


def _locked(file: Path, mode: str) -> IO[str]:
    """Open a file and hold its lock, which ends with the process. Raises OSError when another one holds it."""
    opened = open(file, mode)  # noqa: SIM115 - its owner closes it
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        opened.close()
        raise
    return opened
