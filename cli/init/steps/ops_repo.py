"""The ops repo's files: those that are missing come from the template."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bot.git.command import Git
from bot.git.errors import GitError
from bot.model.names import RepoPath
from cli.errors import InputError
from cli.init.ops_repo_template import OpsEnvironment, write_ops_repo
from cli.init.steps.step import Change


@dataclass(frozen=True)
class TemplateStep:
    """The ops repo has the chart, and a folder for each environment."""

    git: Git
    url: str
    ops: RepoPath
    environments: Sequence[OpsEnvironment]
    exists: bool = True  # False on a dry run that would make the repository

    def observe(self) -> Change | str:
        """Look which files are missing. What people changed or deleted stays so: later only environments are added."""
        with self._checkout() as folder:
            added = self._add_missing(folder)
        if not added:
            names = " and ".join(environment.name for environment in self.environments)
            return f"the ops repo {self.ops} has the chart and {names}"
        shown = ", ".join(sorted({str(file.relative_to(folder).parts[0]) for file in added}))
        return Change(f"commit {len(added)} files to the ops repo {self.ops} ({shown})", self._commit)

    def _commit(self) -> None:
        with self._checkout() as folder:
            self._add_missing(folder)
            names = ", ".join(environment.name for environment in self.environments)
            self.git.run(folder, "add", "--all", "--", ".")
            self.git.run(folder, "commit", "--quiet", "--message", f"What dppctl deploys from: {names}")
            self.git.run(folder, "push", "--quiet", "--", self.url, "HEAD")

    def _add_missing(self, folder: Path) -> list[Path]:
        """Write what is missing in the checkout; return the files that were written."""
        is_new = not (folder / "chart" / "Chart.yaml").is_file()
        optional = {name for name in ("argocd", "flux") if (folder / name).is_dir()}
        missing = [
            environment
            for environment in self.environments
            if not (folder / "environments" / environment.name / "values.yaml").is_file()
        ]
        if not is_new and not missing:
            return []
        wanted = self.environments if is_new else missing
        added = write_ops_repo(folder, wanted, url=self.url, path=self.ops.path, branch=self._branch(folder))
        if is_new:
            return added
        wanted_files = {file for file in added if self._is_of(file.relative_to(folder), missing, optional)}
        for file in set(added) - wanted_files:
            file.unlink()
        return sorted(wanted_files)

    @staticmethod
    def _is_of(file: Path, environments: Sequence[OpsEnvironment], optional: set[str]) -> bool:
        """Return whether the file belongs to one of these environments alone."""
        names = {part.partition(".")[0] for part in file.parts[1:]}
        return file.parts[0] in {"environments", *optional} and bool(
            names & {environment.name for environment in environments}
        )

    @contextmanager
    def _checkout(self) -> Iterator[Path]:
        """Clone the repository, and yield the ops path's folder in it."""
        with tempfile.TemporaryDirectory(prefix="dppctl-init-") as name:
            clone = Path(name).resolve()
            if self.exists:
                try:
                    self.git.run(clone, "clone", "--progress", "--depth", "1", "--", self.url, ".")
                except GitError as error:
                    raise InputError(f"the ops repo {self.ops} cannot be read: {error}") from None
            folder = clone / self.ops.path
            if folder.resolve() != folder:
                raise InputError(f"the ops repo {self.ops}: a folder of this path is a link")
            folder.mkdir(parents=True, exist_ok=True)
            yield folder

    def _branch(self, folder: Path) -> str:
        if not self.exists:
            return "main"
        return self.git.run(folder, "symbolic-ref", "--short", "HEAD").decode().strip()
