"""The kept copies of repositories, shared by threads: one at a time uses each."""

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Protocol

from bot.errors import DppctlError
from bot.limits import MAX_VALUES_BYTES
from bot.model.names import RepoPath
from bot.model.registration import Target
from bot.model.trailers import read_asker, read_deliveries
from bot.model.values import Values


class RepositoryCopy(Protocol):
    """A kept copy of a repository (the CLI hands in the bot's mirrors)."""

    def refresh(self) -> object: ...
    def head(self) -> str | None: ...
    def open(self) -> AbstractContextManager["Reader"]: ...
    def files(self, commit: str, path: str) -> "AppFiles": ...


class AppFiles(Protocol):
    """The files below a folder, as they are at a commit."""

    def fetch(self) -> None: ...
    def export(self, target: Path) -> None: ...


class Reader(Protocol):
    """The same, open for one look."""

    def read(self, paths: Iterable[tuple[str, str]], limit: int) -> dict[tuple[str, str], bytes | None]: ...
    def read_each(
        self, paths: Iterable[tuple[str, str]], limit: int
    ) -> dict[tuple[str, str], bytes | DppctlError | None]: ...
    def entries(self, commit: str, paths: Iterable[str]) -> dict[str, tuple[str, str] | None]: ...
    def folders(self, commit: str, path: str) -> list[str]: ...
    def last_change(self, path: str, form: str = "%H") -> str: ...
    def message(self, commit: str) -> str: ...


class Repositories:
    """Copies of repositories, by OWNER/REPO."""

    def __init__(self, kept: Mapping[str, RepositoryCopy]) -> None:
        self._kept = kept
        self._locks = {name: threading.Lock() for name in kept}

    @contextmanager
    def use(self, name: str) -> Iterator[RepositoryCopy]:
        """Give the repository, which nobody else uses as long as the block."""
        with self._locks[name]:
            yield self._kept[name]

    @contextmanager
    def open(self, name: str) -> Iterator[Reader]:
        """Open it for a look; nobody else uses it meanwhile."""
        with self.use(name) as repository, repository.open() as reader:
            yield reader


def deliveries_of(repositories: Repositories, target: Target, ops_commit: str) -> Sequence[str]:
    """Return the ids of the webhook deliveries that an ops commit was made for; none where that cannot be read."""
    with suppress(DppctlError), repositories.open(target.ops.repository) as ops:
        return read_deliveries(ops.message(ops_commit))
    return ()


def asker_of(repositories: Repositories, target: Target, ops_commit: str) -> str:
    """Return who asked for an ops commit, and why; "" where nobody did, or that cannot be read."""
    with suppress(DppctlError), repositories.open(target.ops.repository) as ops:
        return read_asker(ops.message(ops_commit))
    return ""


def values_at(ops: Reader, commit: str, targets: Iterable[Target]) -> dict[Target, Values | DppctlError | None]:
    """Return what an ops repo says at a commit: values, why they cannot be used, or None where it says nothing.

    Raises DppctlError when the ops repo cannot be read.
    """
    asked = list(targets)
    contents = ops.read_each([(commit, target.values_file) for target in asked], MAX_VALUES_BYTES)
    return {target: values_of(target, contents[commit, target.values_file]) for target in asked}


def values_of(target: Target, content: bytes | DppctlError | None) -> Values | DppctlError | None:
    """Return the same of one environment, from what its file holds."""
    if content is None or isinstance(content, DppctlError):
        return content
    try:
        values = Values.from_yaml(content.decode(errors="replace"), f"{target.ops}:{target.values_file}")
    except DppctlError as error:
        return error
    if RepoPath(values.source.repository, values.source.path) != target.app:
        return DppctlError(f"{target.values_file} is for another app than {target.app}")
    return values
