"""Submodules: folders that are a commit of another repository, which `.gitmodules` names.

https://git-scm.com/docs/gitmodules
"""

import posixpath
import re
import shutil
from typing import NamedTuple

from bot.errors import PermanentError
from bot.git.command import Git
from bot.git.commits import has_commit, says_gone
from bot.git.copies import is_broken
from bot.git.errors import GitError, PermanentGitError
from bot.git.objects import open_objects
from bot.git.origin import Origin
from bot.limits import MAX_GITMODULES_BYTES

_NO_REPOSITORY = "does not appear to be a git repository"


class Submodule(NamedTuple):
    """What `.gitmodules` says of one."""

    name: str
    url: str


def read_submodules(git: Git, origin: Origin, commit: str) -> dict[str, Submodule]:
    """Return what `.gitmodules` says at a commit, by the submodule's path in the repository; nothing without it.

    Raises PermanentError when that file is very large, or not in git's form; GitError when it cannot be read now.
    """
    with origin.reading(), open_objects(git, origin.folder) as objects:
        found = objects.find(f"{commit}:.gitmodules", MAX_GITMODULES_BYTES)
    if found is None or found.kind != "blob":
        return {}
    if found.content is None:
        raise PermanentError(f".gitmodules: larger than {MAX_GITMODULES_BYTES // 1024:,} KB; make it smaller")
    try:
        listing = git.run(origin.folder, "config", "--file", "-", "--list", "-z", stdin=found.content)
    except GitError as error:
        if error.code is None:  # it did not end by itself
            raise
        reason = re.sub("(?:file )?standard input", ".gitmodules", str(error))
        raise PermanentError(f".gitmodules cannot be read, so submodules cannot be had: {reason}") from None
    said: dict[str, dict[str, str]] = {}
    for line in listing.decode(errors="replace").split("\0"):
        key, _, value = line.partition("\n")
        section, _, rest = key.partition(".")
        name, _, variable = rest.rpartition(".")
        if section == "submodule":
            said.setdefault(name, {})[variable] = value
    return {
        found["path"].strip("/"): Submodule(name, found["url"])
        for name, found in said.items()
        if {"path", "url"} <= found.keys()
    }


def fetch_submodule(git: Git, origin: Origin, path: str, submodule: Submodule | None, commit: str) -> Origin:
    """Have a submodule's commit on this disk, and return the repository that holds it; `path`: for messages.

    Raises PermanentError, which names the path, when it cannot be had; GitError for a server that is away.
    """
    if submodule is None:
        raise PermanentError(f"{path}: this folder is a submodule that .gitmodules does not name; add it there")
    what = f"{path}: this folder is a submodule"
    if origin.url is None:
        folder = origin.data / "modules" / submodule.name
        local = Origin(folder, folder, None)
        if ".." in submodule.name.split("/") or not (local.data.is_dir() and has_commit(git, local, commit)):
            message = f"{what}, and its commit {commit[:12]} is not in this clone; get it with: git submodule update"
            raise PermanentError(f"{message} --init --recursive")
        return local
    repository = git.repository_at(_resolve(submodule.url, origin.url))
    if repository is None:
        raise PermanentError(f"{what} from {submodule.url[:200]}, which is not on DPPCTL_GITHUB_URL; put it there")
    folder = origin.data / "modules" / repository.replace("/", "+")
    copy = Origin(folder, folder, git.url_of(repository))
    assert copy.url is not None  # noqa: S101 (for mypy)
    try:
        if is_broken(folder):
            shutil.rmtree(folder)
        folder.mkdir(parents=True, exist_ok=True)
        git.run(folder, "init", "--quiet", "--bare")
        if not has_commit(git, copy, commit):
            git.run(folder, "fetch", "--progress", "--depth=1", "--no-tags", "--", copy.url, commit)
    except GitError as error:
        shutil.rmtree(folder, ignore_errors=True)  # the next try begins anew, whatever was in its way
        message = f"{what}, and its commit {commit[:12]} cannot be fetched from {repository}: {error}"
        if isinstance(error, PermanentGitError) or says_gone(error) or _NO_REPOSITORY in str(error):
            raise PermanentError(message) from None
        raise type(error)(message) from None
    return copy


def _resolve(url: str, base: str) -> str:
    """Return a submodule's URL, which may be relative to that of the repository that it is in."""
    if not url.startswith(("./", "../")):
        return url
    scheme, _, rest = base.partition("://")
    return f"{scheme}://{posixpath.normpath(f'{rest}/{url}')}"
