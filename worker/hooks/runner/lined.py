"""Rows of which the lines are known: those that another process wrote, and those for the sink."""

from importlib import import_module
from typing import Any, List, Optional

from . import lines
from .batches import Batch, Columns


class LinedBatch(Batch):
    """Rows as lines, in which nothing was changed; they are taken apart when somebody asks for columns or rows."""

    __slots__ = ("_columns", "_is_read", "lines")

    def __init__(self, texts: List[str], columns: Optional[Columns] = None) -> None:
        """texts: the lines; columns: where they are known."""
        self.lines = texts
        self.count = len(texts)
        self._columns = columns
        self._is_read = columns is not None

    @property
    def columns(self) -> Optional[Columns]:  # type: ignore[override] # nobody sets those of a batch
        """Return the columns, None where the rows have not the same keys, or are unusual."""
        if not self._is_read:
            self._is_read = True
            try:
                self._columns = lines.read_columns(self.lines)
            except Exception:  # noqa: BLE001 - dpp's decoder, of each line, says what is wrong
                self._columns = None
        return self._columns

    def known_columns(self) -> Optional[Columns]:
        """Return the columns, None when the lines were not taken apart."""
        return self._columns

    def rows(self) -> List[Any]:
        """Return the rows as dpp has them: lines that are taken apart when their values are asked for."""
        loadl = import_module("datapackage_pipelines.utilities.extended_json").json.loadl
        return [loadl(text) for text in self.lines]

    def size(self) -> int:
        """Return how long the lines are."""
        return sum(map(len, self.lines))
