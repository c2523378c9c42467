"""Where a local app's repositories are, and what they are called: decided from its folder and the servers' settings."""

import re
from dataclasses import dataclass
from getpass import getuser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bot.errors import DppctlError
from bot.git.command import Git
from bot.git.errors import GitError, NoRepositoryError
from bot.model.names import RepoPath
from cli.errors import InputError
from cli.init.app import repository_of

_NOT_IN_OWNERS = re.compile(r"[^A-Za-z0-9-]+")
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_.-]+")
BRANCH = "master"  # of a folder that is no clone yet


@dataclass(frozen=True)
class Clone:
    """The repository that a folder is in; top: its first folder, None where there is none yet.

    branch: what is checked out; remotes: URLs by name.
    """

    top: Path | None
    prefix: str
    branch: str
    remotes: dict[str, str]


@dataclass(frozen=True)
class LocalRepositories:
    """Says where all is: `folder` has OWNER/REPO.git of app and ops repo; remote: the clone's name for the app's."""

    app: RepoPath
    ops: RepoPath
    folder: Path
    remote: str
    branch: str

    def bare(self, repository: str) -> Path:
        """Return the bare repository of OWNER/REPO."""
        return self.folder / f"{repository}.git"


def read_clone(git: Git, folder: Path) -> Clone:
    """Return the clone that a folder is in."""
    try:
        top = Path(_ask(git, folder, "rev-parse", "--show-toplevel"))
    except NoRepositoryError:
        return Clone(None, "", BRANCH, {})
    names = _ask(git, folder, "remote").split()
    remotes = {name: url for name in names if (url := git.configured(folder, f"remote.{name}.url"))}
    try:
        branch = _ask(git, folder, "symbolic-ref", "--short", "HEAD")
    except GitError:
        branch = BRANCH
    return Clone(top, _ask(git, folder, "rev-parse", "--show-prefix").strip("/"), branch, remotes)


def choose_repositories(
    folder: Path, clone: Clone, url: str | None, config: Path, *, repo: str | None, ops: str | None, git: Path | None
) -> LocalRepositories:
    """Return where an app's repositories are, or are to be.

    url: what the servers take repositories from, as far as it is set; repo, ops, git: as a person says. A remote that
    leads to a bare repository on this machine is taken as it is. Raises InputError for what does not fit.
    """
    given = _kept_base(url, config)
    if git is not None and given not in (None, git.resolve()):
        raise InputError(
            f"the servers in {config} take repositories from {given}; leave out --git, or name another --config"
        )
    base, remote, name = given or (git.resolve() if git else None), None, repo
    for known, address in clone.remotes.items():
        path = _folder_of(address)
        found = repository_of(address)
        if path is None or found is None or not path.name.endswith(".git"):
            continue
        where = path.parent.parent
        if base in (None, where) and repo in (None, found):
            base, remote, name = where, known, found
            break
    name = name or f"{_owner()}/{_name((clone.top or folder.resolve()).name)}"
    try:
        app = RepoPath.parse(f"{name}/{clone.prefix}" if clone.prefix else name)
        chosen = RepoPath.parse(ops or f"{app.repository}-ops")
    except DppctlError as error:
        raise InputError(f"{error}; name it with --repo OWNER/REPO") from None
    remote = remote or ("origin" if "origin" not in clone.remotes else "dppctl")
    return LocalRepositories(app, chosen, base or config.resolve() / "git", remote, clone.branch)


def _kept_base(url: str | None, config: Path) -> Path | None:
    if not url:
        return None
    path = _folder_of(url)
    if path is None:
        raise InputError(
            f"the servers in {config} take repositories from {url}; for local ones name another folder: --config FOLDER"
        )
    return path


def _folder_of(url: str) -> Path | None:
    """Return the folder that a git URL names on this machine; None: it is elsewhere."""
    if url.startswith("file://"):
        return Path(unquote(urlsplit(url).path))
    return Path(url) if url.startswith("/") else None


def _owner() -> str:
    return _NOT_IN_OWNERS.sub("-", getuser()).strip("-") or "local"


def _name(folder: str) -> str:
    return _NOT_IN_NAMES.sub("-", folder).strip(".-").removesuffix(".git") or "app"


def _ask(git: Git, folder: Path, *arguments: str) -> str:
    return git.run(folder, *arguments).decode(errors="replace").strip()
