"""What all answers of the fake GitHub are made from: the examples of GitHub's description, and the repositories."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tests.support.forge import git
from tests.support.github.openapi import operations
from tests.support.github.permissions import Refused
from tests.support.github.state import Repo, State

Answer = tuple[int, Any]


class FromState:
    """Answers from what the fake GitHub has."""

    def __init__(self, github: State) -> None:
        self._github = github

    def _commit(self, repo: Repo, name: str, message: str = "Not Found", status: int = 404) -> str:
        try:
            return git(repo.git.bare, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
        except AssertionError:
            raise Refused(status, message) from None


def example(identity: str) -> Any:
    """What the description has as the answer when it goes well."""
    return operations()[identity].example()


def found(every: Mapping[int, Any], number: str) -> Any:
    if int(number) not in every:
        raise Refused(404, "Not Found")
    return every[int(number)]


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
