"""The ops repo: made on GitHub where it is not there, and filled from the template where something is missing."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from github import Github, GithubException, UnknownObjectException

from bot.git.command import Git, GitError
from bot.model.names import RepoPath
from cli.errors import InputError
from cli.init.ops_repo_template import OpsEnvironment, write_ops_repo
from cli.init.steps.machine_user import find_repository
from cli.init.steps.step import Change


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
    environments: Sequence[OpsEnvironment]
    is_there: bool = True  # False on a dry run that would make the repository

    def look(self) -> Change | str:
        """What people changed or deleted there stays so: only an environment that is missing is added later."""
        with self._checkout() as folder:
            added = self._add_missing(folder)
        if not added:
            names = " and ".join(one.name for one in self.environments)
            return f"the ops repo {self.ops} has the chart and {names}"
        shown = ", ".join(sorted({str(one.relative_to(folder).parts[0]) for one in added}))
        return Change(f"commit {len(added)} files to the ops repo {self.ops} ({shown})", self._commit)

    def _commit(self) -> None:
        with self._checkout() as folder:
            self._add_missing(folder)
            names = ", ".join(one.name for one in self.environments)
            self.git(folder, "add", "--all", "--", ".")
            self.git(folder, "commit", "--quiet", "--message", f"What dppctl deploys from: {names}")
            self.git(folder, "push", "--quiet", "--", self.url, "HEAD")

    def _add_missing(self, folder: Path) -> list[Path]:
        is_new = not (folder / "chart" / "Chart.yaml").is_file()
        optional = {name for name in ("argocd", "flux") if (folder / name).is_dir()}
        missing = [
            one for one in self.environments if not (folder / "environments" / one.name / "values.yaml").is_file()
        ]
        if not is_new and not missing:
            return []
        wanted = self.environments if is_new else missing
        added = write_ops_repo(folder, wanted, url=self.url, path=self.ops.path, branch=self._branch(folder))
        if is_new:
            return added
        theirs = {one for one in added if self._is_of(one.relative_to(folder), missing, optional)}
        for file in set(added) - theirs:
            file.unlink()
        return sorted(theirs)

    @staticmethod
    def _is_of(file: Path, environments: Sequence[OpsEnvironment], optional: set[str]) -> bool:
        """Does the file belong to one of these environments alone?"""
        names = {part.partition(".")[0] for part in file.parts[1:]}
        return file.parts[0] in {"environments", *optional} and bool(names & {one.name for one in environments})

    @contextmanager
    def _checkout(self) -> Iterator[Path]:
        """The ops path's folder in a new clone."""
        with tempfile.TemporaryDirectory(prefix="dppctl-init-") as name:
            clone = Path(name).resolve()
            if self.is_there:
                try:
                    self.git(clone, "clone", "--quiet", "--depth", "1", "--", self.url, ".")
                except GitError as error:
                    raise InputError(f"the ops repo {self.ops} cannot be read: {error}") from None
            folder = clone / self.ops.path
            if folder.resolve() != folder:
                raise InputError(f"the ops repo {self.ops}: a folder of this path is a link")
            folder.mkdir(parents=True, exist_ok=True)
            yield folder

    def _branch(self, folder: Path) -> str:
        if not self.is_there:
            return "main"
        return self.git(folder, "symbolic-ref", "--short", "HEAD").decode().strip()
