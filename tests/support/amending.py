"""A commit that is amended, and a server that forgets the one before."""

from tests.support.forge import Repository, git


def amend(repository: Repository) -> tuple[str, str]:
    """Push a commit, and one with the same files in its place; return both."""
    before = repository.git("rev-parse", "HEAD")
    repository.git("commit", "--quiet", "--amend", "--message", "said better")
    return before, repository.push_all()


def forget(repository: Repository) -> None:
    """Let the server forget what is on no branch or tag."""
    git(repository.bare, "reflog", "expire", "--expire=now", "--all")
    git(repository.bare, "gc", "--quiet", "--prune=now")
