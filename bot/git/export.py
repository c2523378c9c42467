"""Put files out of git into a folder."""

import shutil
import tarfile
import tempfile
from pathlib import Path

from bot.errors import DppctlError
from bot.git.command import Git


def export(git: Git, repository: Path, tree: str, target: Path) -> None:
    """Put the files of a tree (any name that git has for it) below the new folder `target`.

    Raises GitError, and DppctlError for a file that would lie elsewhere.
    """
    with tempfile.NamedTemporaryFile(suffix=".tar") as archive:
        git.run(repository, "archive", "--format=tar", f"--output={archive.name}", tree)
        shutil.rmtree(target, ignore_errors=True)
        try:
            with tarfile.open(archive.name) as tar:
                tar.extractall(target, filter="data")
        except tarfile.FilterError as error:
            raise DppctlError(f"{tree[:12]}: {error}") from None
