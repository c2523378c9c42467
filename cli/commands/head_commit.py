"""A folder of a clone, as it is committed at HEAD: what a push of it would bring."""

from functools import cached_property
from pathlib import Path

from bot.errors import DppctlError
from bot.git.command import Git
from bot.git.errors import GitError, PermanentGitError
from bot.git.export import Files
from bot.git.origin import Origin


class HeadCommit:
    """The folder at HEAD."""

    def __init__(self, git: Git, folder: Path) -> None:
        """Read the commit. Raises DppctlError when the folder is in no clone, or nothing of it is committed."""
        self._git = git
        self._folder = folder
        try:
            self.commit = self._ask("rev-parse", "--verify", "HEAD^{commit}")
            self.tree = self._ask("rev-parse", "--verify", "HEAD:./")
        except PermanentGitError:
            raise
        except GitError as error:
            raise DppctlError(f"{folder}: nothing of it is committed, and images are of what is: {error}") from None

    @cached_property
    def ref(self) -> str:
        """Return the branch, or the commit when none is checked out."""
        try:
            return self._ask("symbolic-ref", "--quiet", "HEAD")
        except GitError:
            return self.commit

    def read(self, name: str) -> str | None:
        """Return the text of a file below the folder; None: it is not committed. Raises DppctlError for a link."""
        entry = self._ask("ls-tree", "HEAD", "--", f"./{name}")
        if " blob " not in entry:
            return None
        if entry.startswith("120000"):
            raise DppctlError(
                f"{self._folder / name} is a symbolic link, which is not followed; put the file itself there"
            )
        return self._git.run(self._folder, "cat-file", "blob", f"HEAD:./{name}").decode(errors="replace")

    def is_dirty(self) -> bool:
        """Return whether something below the folder is not committed."""
        return bool(self._ask("status", "--porcelain", "--", "."))

    def export(self, target: Path) -> None:
        """Put the committed files into the new folder. Raises DppctlError for what is not on this disk."""
        data = self._folder / self._ask("rev-parse", "--git-common-dir")
        path = self._ask("rev-parse", "--show-prefix").rstrip("/")
        Files(self._git, Origin(self._folder, data, None), self.commit, path).export(target)

    def _ask(self, *arguments: str) -> str:
        return self._git.run(self._folder, *arguments).decode(errors="replace").strip()
