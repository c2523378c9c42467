"""The kept copies of repositories, shared by threads: one at a time uses each."""

import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol


class Repository(Protocol):
    """A kept copy of a repository (the CLI hands in the bot's mirrors)."""

    def refresh(self) -> object: ...
    def head(self) -> str | None: ...
    def read(self, paths: Iterable[tuple[str, str]], limit: int) -> dict[tuple[str, str], bytes | None]: ...
    def last_change(self, path: str) -> str: ...
    def export(self, commit: str, path: str, target: Path) -> None: ...


class Repositories:
    """By OWNER/REPO."""

    def __init__(self, kept: Mapping[str, Repository]) -> None:
        self._kept = kept
        self._locks = {name: threading.Lock() for name in kept}

    @contextmanager
    def use(self, name: str) -> Iterator[Repository]:
        """Nobody else uses it meanwhile."""
        with self._locks[name]:
            yield self._kept[name]
