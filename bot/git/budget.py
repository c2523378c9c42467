"""What a look at a repository, or the export of an app, may read: no repository takes the others' time and memory."""

import time

from bot.errors import DppctlError, PermanentError
from bot.git.errors import TransientGitError
from bot.limits import LOOK_SECONDS, MAX_EXPORT_BYTES, MAX_LOOK_BYTES, MAX_PATHS


class LookBudget:
    """Counts what is read; for one look, and one thread."""

    def __init__(self) -> None:
        """Begin the look."""
        self._paths, self._bytes = MAX_PATHS, MAX_LOOK_BYTES
        self._end = time.monotonic() + LOOK_SECONDS

    def spend_paths(self, count: int) -> None:
        """Count files and folders. Raises DppctlError when those are too many."""
        self._paths -= count
        if self._paths < 0:
            raise DppctlError(f"there are more than {MAX_PATHS:,} files and folders; make the app's folder smaller")

    def spend_bytes(self, size: int) -> None:
        """Count what was read. Raises DppctlError when that is too much, TransientGitError when it takes too long."""
        self._bytes -= size
        if self._bytes < 0:
            limit = f"{MAX_LOOK_BYTES // 2**20} MB"
            raise DppctlError(f"a look at the repository reads more than {limit}; make its files smaller")
        if time.monotonic() > self._end:
            raise TransientGitError(f"a look at the repository takes more than {LOOK_SECONDS:g} seconds")


class ExportBudget:
    """Counts what an app's files are, those of its submodules included; for one export."""

    def __init__(self) -> None:
        """Begin the export."""
        self._paths, self._bytes = MAX_PATHS, MAX_EXPORT_BYTES

    def spend(self, path: str, size: int) -> None:
        """Count a file or folder of this size in bytes. Raises PermanentError, with its path, when it is too much."""
        self._paths -= 1
        self._bytes -= size
        if self._paths < 0:
            raise PermanentError(f"{path}: with those before it that is more than {MAX_PATHS:,} files and folders")
        if self._bytes < 0:
            limit = f"{MAX_EXPORT_BYTES // 10**9} GB"
            raise PermanentError(f"{path}: with the files before it the app has more than {limit}; make them smaller")
