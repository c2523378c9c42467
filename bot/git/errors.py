"""What goes wrong with git. Nobody raises GitError itself: each failure is one of its two kinds."""

from bot.errors import DppctlError, PermanentError, TransientError


class GitError(DppctlError):
    """git failed; the message is its last words, or what to do about them, without secrets."""

    code: int | None = None  # git's exit code, where it ended by itself


class TransientGitError(GitError, TransientError):
    """Another try may help: the network, the forge, a lock, the time limit, or a cause that is not known."""


class CopyError(TransientGitError):
    """git did not do it on this disk, or for a reason that nobody knows: the copy of the repository may be broken."""


class NoRepositoryError(CopyError):
    """A folder is in no git repository."""


class PermanentGitError(GitError, PermanentError):
    """A person must change something first: a right, a key, a repository's name."""
