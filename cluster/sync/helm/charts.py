"""Charts out of ops repos, as folders for helm: each once, however many environments are deployed with it."""

import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cluster.limits import CHARTS_KEPT


class Charts:
    """By the id of their git tree; several threads may use it."""

    def __init__(self, folder: Path) -> None:
        """`folder`: an empty one, of this process alone."""
        self._folder = folder
        self._users: Counter[str] = Counter()
        self._there: dict[str, None] = {}  # the one that was used last comes last
        self._lock = threading.Lock()

    @contextmanager
    def use(self, tree: str, export: Callable[[Path], None]) -> Iterator[Path]:
        """The chart's folder, which stays as long as the block; `export` writes it into the folder that it is given."""
        path = self._folder / tree
        with self._lock:
            if tree not in self._there:
                export(path)
            self._there.pop(tree, None)
            self._there[tree] = None
            self._users[tree] += 1
        try:
            yield path
        finally:
            with self._lock:
                self._users[tree] -= 1
                for old in [one for one in list(self._there)[:-CHARTS_KEPT] if not self._users[one]]:
                    del self._there[old]
                    shutil.rmtree(self._folder / old, ignore_errors=True)
