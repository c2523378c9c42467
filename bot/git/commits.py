"""Commits that are on no branch or tag any more, as after an amended one was pushed: the server may still have them.

https://git-scm.com/docs/git-config#Documentation/git-config.txt-uploadpackallowAnySHA1InWant; GitHub gives every commit
that it has, and keeps them for long.
"""

import re

from bot.git.command import Git
from bot.git.errors import GitError, PermanentGitError
from bot.git.origin import Origin

_GONE = re.compile(r"not our ref|unadvertised object")


class GoneCommitError(PermanentGitError):
    """A commit is neither on this disk nor on the server."""


def says_gone(error: GitError) -> bool:
    """Return whether this is a server's answer that it has no such commit, or gives it to nobody."""
    return bool(_GONE.search(str(error)))


def has_commit(git: Git, origin: Origin, commit: str) -> bool:
    """Return whether a commit is on this disk. Raises GitError."""
    answer = git.run(origin.folder, "cat-file", "--batch-check", stdin=f"{commit}^{{commit}}\n".encode())
    return b" commit " in answer


def fetch_commit(git: Git, origin: Origin, commit: str, *, alone: bool = False) -> None:
    """Have a commit on this disk, asking the server for it by its id.

    `alone`: without its history, and where the server can do that without its files, to see whether it is there.
    Raises GoneCommitError when it is nowhere; GitError for a server that is away.
    """
    if origin.url is None or has_commit(git, origin, commit):
        return
    options = ("--depth=1", "--filter=tree:0") if alone else ()
    try:
        git.run(origin.folder, "fetch", "--progress", "--no-tags", *options, "--", origin.url, commit)
    except GitError as error:
        if not says_gone(error):
            raise
        what = f"commit {commit[:12]} is on no branch or tag of {git.repository_at(origin.url)} any more"
        raise GoneCommitError(f"{what}, and the server has not got it; push it again, or deploy another") from None
