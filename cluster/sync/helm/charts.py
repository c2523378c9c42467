"""Charts out of ops repos, as folders for helm: each once, however many environments are deployed with it."""

import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cluster.limits import CHARTS_KEPT


class Charts:
    """Folders by the id of the chart's git tree; several threads may use it."""

    def __init__(self, folder: Path) -> None:
        """Take an empty folder, of this process alone."""
        self._folder = folder
        self._users: Counter[str] = Counter()
        self._last_used: dict[str, None] = {}  # in this order, the last one at the end
        self._lock = threading.Lock()

    @contextmanager
    def use(self, tree: str, export: Callable[[Path], None]) -> Iterator[Path]:
        """Give the chart's folder, which stays as long as the block; `export` writes it to a folder's path."""
        path = self._folder / tree
        with self._lock:
            if tree not in self._last_used:
                export(path)
            self._last_used.pop(tree, None)
            self._last_used[tree] = None
            self._users[tree] += 1
        try:
            yield path
        finally:
            with self._lock:
                self._users[tree] -= 1
                oldest = list(self._last_used)[:-CHARTS_KEPT]
                for old in [unused for unused in oldest if not self._users[unused]]:
                    del self._last_used[old]
                    shutil.rmtree(self._folder / old, ignore_errors=True)
