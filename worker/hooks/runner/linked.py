"""What a step of a lane reads from the one before, in the place of its stdin."""

import itertools
from typing import Any, Iterator, List, Optional

from datapackage_pipelines.utilities.extended_json import LazyJsonLine, json
from datapackage_pipelines.wrapper import input_processor

from .batches import FIRST_ROWS, MOST_ROWS, Batch, RowBatches, in_batches, most_after
from .lined import LinedBatch
from .link import line_of

BYTES_AHEAD = 1 << 14  # twice the buffer of Python's own output
BLANK = None  # what ends the rows of a resource, in the place of an empty line


class LinkedInput:
    """Stands for the stdin of a step whose predecessor is in the lane."""

    def __init__(self, lines: List[str], items: Iterator[Any]) -> None:
        """lines: the first ones; items: what `_spewed_items` yields."""
        self._lines = lines
        self._items = items
        self._resource: Optional[RowBatches] = None
        self._is_in_resource = False

    def readline(self) -> str:
        """Return the next line as the step before would have written it."""
        if self._lines:
            return self._lines.pop(0) + "\n"
        item = next(self._items, "")
        if item is BLANK:
            self._look_ahead()
            return "\n"
        if isinstance(item, Batch):
            row, *rest = item.rows()
            self._items = itertools.chain([Batch(None, len(rest), rest)] if rest else [], self._items)
            item = line_of(row)
        return f"{item}\n" if item else ""

    def resource(self) -> RowBatches:
        """Return the rows of the resource; those that a step has left are of the next one, as in dpp."""
        if self._resource is None or not self._is_in_resource:
            self._is_in_resource = True
            self._resource = RowBatches.of(self._batches())
        return self._resource

    def drain(self) -> None:
        """Have the step before come to its end."""
        for _ in self._items:
            pass

    def _batches(self) -> Iterator[Batch]:
        for item in iter(self._next, BLANK):
            yield Batch(None, 1, [LazyJsonLine((item,), {})]) if isinstance(item, str) else item
        self._is_in_resource = False

    def _next(self) -> Any:
        return next(self._items, BLANK)

    def _look_ahead(self) -> None:
        """Have the steps before run on a little: what fails soon does so before this step touches anything.

        So it is in dpp, where the first rows wait in the buffer of a pipe; a table is not dropped for rows that fail.
        """
        ahead, size = [], 0
        for item in self._items:
            ahead.append(item)
            size += item.size() if isinstance(item, Batch) else len(item or "") + 1
            if size > BYTES_AHEAD:
                break
        self._items = itertools.chain(ahead, self._items)


class LinkedResource(input_processor.ResourceIterator):  # type: ignore[misc]
    """Gives a step the rows of a resource, from a LinkedInput."""

    _rows: Optional[RowBatches] = None

    def __next__(self) -> Any:
        """Return the next row."""
        return next(self.__iter__())

    def __iter__(self) -> RowBatches:
        """Return the rows."""
        if self._rows is None:
            self._rows = self.infile.resource()
        return self._rows

    def row_batches(self) -> Optional[Iterator[Batch]]:
        """Return the rows in batches, None when one was taken already."""
        return self._batches() if self._rows is None else self._rows.row_batches()

    def _batches(self) -> Iterator[Batch]:
        rows = self.__iter__()  # not before the first is asked for: they come after those of the resource before
        batches = rows.row_batches()
        yield from in_batches(rows) if batches is None else batches


class LineResource(input_processor.ResourceIterator):  # type: ignore[misc]
    """Gives the first step of a lane the rows of a resource, from its stdin: as dpp does, or in batches."""

    stopped: bool

    def row_batches(self) -> Optional[Iterator[Batch]]:
        """Return the rows in batches, None when each is to be looked at."""
        return None if self.validate or self.debug else self._batches()

    def _batches(self) -> Iterator[Batch]:
        texts = iter(map(str.strip, iter(self.infile.readline, None)).__next__, "")
        most = FIRST_ROWS
        while not self.stopped:
            found = [*itertools.islice(texts, most)]
            self.stopped = len(found) < most
            if all(text.startswith("{") for text in found):
                batch = LinedBatch(found)
                most = most_after(most, batch.size())
                if found:
                    yield batch
            else:
                yield from in_batches(map(json.loadl, found), MOST_ROWS)
