"""The ops repo: made on GitHub where it is not there, and filled from the template where something is missing."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from github import Github, GithubException, UnknownObjectException

from bot.git import Git, GitError
from bot.names import RepoPath
from cli.errors import InputError
from cli.init.access import find_repository
from cli.init.steps import Change
from cli.ops_repo_files import missing_files


@dataclass(frozen=True)
class RepositoryStep:
    """There is such a repository on GitHub."""

    github: Github  # of somebody who may make it
    name: str  # OWNER/REPO

    def look(self) -> Change | str:
        """A private one is made."""
        if find_repository(self.github, self.name):
            return f"the repository {self.name} is there"
        return Change(f"create the private repository {self.name}", self._create)

    def _create(self) -> None:
        owner, _, name = self.name.partition("/")
        user = self.github.get_user()
        try:
            if user.login.lower() == owner.lower():
                user.create_repo(name, private=True)
            else:
                self.github.get_organization(owner).create_repo(name, private=True)
        except UnknownObjectException:
            raise InputError(self._by_hand(f"{owner} is neither {user.login} nor an organization of theirs")) from None
        except GithubException as error:
            if error.status not in (403, 422):
                raise
            raise InputError(self._by_hand(str(error.message or error.status))) from None

    def _by_hand(self, reason: str) -> str:
        return (
            f"the repository {self.name} cannot be made with this token ({reason}); make it on GitHub, or give the "
            "owner's token (--owner-token-file), and run dppctl init again"
        )


@dataclass(frozen=True)
class TemplateStep:
    """The ops repo has the chart, and a folder for each environment."""

    git: Git
    url: str
    ops: RepoPath
    environments: Sequence[str]
    is_there: bool = True  # False on a dry run that would make the repository

    def look(self) -> Change | str:
        """What people changed there stays: only files that are missing are written."""
        with tempfile.TemporaryDirectory(prefix="dppctl-init-") as folder:
            if self.is_there:
                self._clone(Path(folder))
            missing = missing_files(self._below(Path(folder)), self.environments)
        if not missing:
            return f"the ops repo {self.ops} has the chart and {' and '.join(self.environments)}"
        shown = ", ".join(sorted({one.split("/")[0] if "/" in one else one for one in missing}))
        return Change(f"commit {len(missing)} files to the ops repo {self.ops} ({shown})", self._write)

    def _write(self) -> None:
        with tempfile.TemporaryDirectory(prefix="dppctl-init-") as name:
            folder = Path(name)
            self._clone(folder)
            below = self._below(folder)
            for path, content in missing_files(below, self.environments).items():
                file = below / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
            self.git(folder, "add", "--all", "--", ".")
            self.git(
                folder, "commit", "--quiet", "--message", f"Environments {', '.join(self.environments)} for dppctl"
            )
            self.git(folder, "push", "--quiet", "--", "origin", "HEAD")

    def _clone(self, folder: Path) -> None:
        try:
            self.git(folder, "clone", "--quiet", "--depth", "1", "--", self.url, str(folder))
        except GitError as error:
            raise InputError(f"the ops repo {self.ops} cannot be read: {error}") from None

    def _below(self, clone: Path) -> Path:
        """The ops path's folder. No link may lead out of the clone."""
        folder = clone / self.ops.path
        if not folder.resolve().is_relative_to(clone.resolve()):
            raise InputError(f"the ops repo {self.ops}: a folder of this path is a link")
        return folder
