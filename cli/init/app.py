"""The app in a folder: its repository, branch, pipelines and Dockerfile, as git and the files say."""

import re
from dataclasses import dataclass
from pathlib import Path

from bot.errors import DppctlError
from bot.git.command import Git
from bot.git.errors import GitError, NoRepositoryError
from bot.model.app_config import Build
from bot.model.file_names import CONFIG_FILE
from bot.model.names import RepoPath
from bot.model.spec_files import is_spec
from cli.errors import InputError

_REMOTE = re.compile(r"(?:\w+://[^/]*/(?:.*/)?|[^/@:]+@[^/:]+:(?:.*/)?|/(?:.*/)?)(?P<name>[^/]+/[^/]+?)(?:\.git)?/?")
NO_REPOSITORY = "{folder} is in no git repository; clone the app's, or run git init first"
NO_ORIGIN = (
    "{folder}: the repository has no remote `origin`; add it (git remote add origin URL), or name it with "
    "--repo OWNER/REPO"
)


@dataclass(frozen=True)
class App:
    """A folder of somebody's clone."""

    folder: Path
    path: RepoPath
    branch: str  # the repository's default one
    specs: tuple[str, ...]  # files that have pipelines, from the folder
    has_dockerfile: bool

    @property
    def config_file(self) -> Path:
        """Return the path of its `.dppctl.yaml`."""
        return self.folder / CONFIG_FILE


def find_app(git: Git, folder: Path, repository: str | None = None, branch: str | None = None) -> App:
    """Return the app in this folder. `repository`: OWNER/REPO, in place of the one that the remote `origin` names.

    `branch`: in place of the default one.

    Raises InputError, with what to do, when the folder is in no clone of a repository on GitHub.
    """
    try:
        prefix = _ask(git, folder, "rev-parse", "--show-prefix").strip("/")
    except NoRepositoryError:
        raise InputError(NO_REPOSITORY.format(folder=folder.absolute())) from None
    if repository is None:
        repository = _remote(git, folder)
    try:
        path = RepoPath.parse(f"{repository}/{prefix}" if prefix else repository)
    except DppctlError as error:
        raise InputError(f"{folder}: {error}; name the repository with --repo OWNER/REPO") from None
    # What git ignores is no part of the app, such as an environment with dpp's own examples.
    files = _ask(git, folder, "ls-files", "--cached", "--others", "--exclude-standard", "-z").split("\0")
    specs = tuple(sorted(file for file in files if is_spec(file) and file.endswith(".yaml")))
    return App(folder, path, branch or find_branch(git, folder), specs, (folder / Build().dockerfile).is_file())


def repository_of(url: str) -> str | None:
    """Return OWNER/REPO of a remote's URL (https, ssh in both forms, or a folder); None for another form.

    https://git-scm.com/docs/git-clone#_git_urls
    """
    found = _REMOTE.fullmatch(url)
    return found["name"] if found else None


def origin_url(git: Git, folder: Path) -> str:
    """Return the URL of the remote `origin`. Raises InputError."""
    if url := git.configured(folder, "remote.origin.url"):
        return url
    raise InputError(NO_ORIGIN.format(folder=folder.absolute()))


def _remote(git: Git, folder: Path) -> str:
    if found := repository_of(origin_url(git, folder)):
        return found
    raise InputError("the remote `origin` is no OWNER/REPO; name the repository with --repo OWNER/REPO")


def find_branch(git: Git, folder: Path) -> str:
    """Return the branch that origin calls its default, else the one that is checked out. Raises InputError."""
    for arguments in (("symbolic-ref", "refs/remotes/origin/HEAD"), ("symbolic-ref", "HEAD")):
        try:
            return _ask(git, folder, *arguments).removeprefix("refs/remotes/origin/").removeprefix("refs/heads/")
        except GitError:
            continue
    raise InputError(f"{folder.absolute()}: no branch is checked out; name one with --branch NAME")


def _ask(git: Git, folder: Path, *arguments: str) -> str:
    return git.run(folder, *arguments).decode(errors="replace").strip()
