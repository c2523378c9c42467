"""Rows of a lane, some at a time: as columns, where all of them have the same keys.

What is done to each of many values is then done by one call of Python's own. dpp's code, and whatever is unusual, takes
the rows one at a time as ever: `RowBatches` is an iterator of rows. Who can do with whole batches asks for them by
`batches_in`, before a row is taken.
"""

from itertools import chain, islice
from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional, Sequence

MOST_ROWS = 256  # of a batch
MOST_BYTES = 1 << 16  # of a batch's text, about
FIRST_ROWS = 16
Row = Any
Columns = Dict[str, Sequence[Any]]
"""The values of some rows, by their keys; nobody changes one of these sequences."""


class RowSources:
    """Says whether what reads files gives batches: in a lane, where nobody sees how far it has read."""

    give_batches = False


class Batch:
    """Some rows; `columns` is None where they have not the same keys."""

    __slots__ = ("_rows", "columns", "count")

    def __init__(self, columns: Optional[Columns], count: int, rows: Optional[List[Row]] = None) -> None:
        """rows: needed where there are no columns."""
        self.columns = columns
        self.count = count
        self._rows = rows

    def rows(self) -> List[Row]:
        """Return the rows; who changes them is the last who has the batch."""
        if self._rows is None:
            self._rows = rows_of(self.columns or {}, self.count)
        return self._rows

    def size(self) -> int:
        """Return about how long the text of all rows is."""
        if self.columns is None:
            return sum(map(_row_size, self.rows()))
        return self.count * 6 * len(self.columns) + sum(map(_column_size, self.columns.values()))


class RowBatches(chain):  # type: ignore[type-arg] # its parameter is unknown to Python 3.8
    """Gives the rows of batches one at a time, or the batches."""

    _batches: Iterator[Batch]
    _begun: List[bool]

    @classmethod
    def of(cls, batches: Iterator[Batch]) -> "RowBatches":
        """Return the rows of these batches."""
        begun: List[bool] = []
        rows: RowBatches = cls.from_iterable(_lists(batches, begun))  # type: ignore[assignment]
        rows._batches, rows._begun = batches, begun
        return rows

    def row_batches(self) -> Optional[Iterator[Batch]]:
        """Return the batches, None when a row was taken already."""
        return None if self._begun else self._batches


def batches_in(rows: Any) -> Optional[Iterator[Batch]]:
    """Return the batches that rows come in, None when they come one at a time; rows: or a ResourceWrapper of them."""
    inner = getattr(rows, "it", None)
    take = getattr(type(rows if inner is None else inner), "row_batches", None)
    return take(rows if inner is None else inner) if take is not None else None


def in_batches(rows: Iterable[Row], most: int = FIRST_ROWS) -> Iterator[Batch]:
    """Yield rows together. What fails does so when the rows before it were taken.

    most: how many are in the first batch; later ones have as many as MOST_BYTES allow.
    """
    iterator = iter(rows)
    while True:
        found: List[Row] = []
        try:
            found.extend(islice(iterator, most))
        finally:
            if found:
                batch = batch_of(found)
                yield batch
        if len(found) < most:
            return
        most = most_after(most, batch.size())


def changed(
    batch: Batch, quick: Callable[[Batch], Optional[Batch]], slow: Callable[[List[Row]], Iterable[Row]]
) -> Iterator[Batch]:
    """Yield the batch with its rows changed.

    quick: given a batch that has columns, returns one, or None, or raises anything at all, for rows that only `slow`
    can change; it changes nothing in what it is given; slow: yields changed rows, and raises what is wrong.
    """
    done = None
    if batch.columns is not None:
        try:
            done = quick(batch)
        except Exception:  # noqa: BLE001 - the other way says what is wrong, if anything is
            done = None
    if done is None:
        yield from in_batches(slow(batch.rows()), MOST_ROWS)
    elif done.count:
        yield done


def all_changed(
    batches: Iterator[Batch], quick: Callable[[Batch], Optional[Batch]], slow: Callable[[List[Row]], Iterable[Row]]
) -> Iterator[Batch]:
    """Yield the batches, each `changed`."""
    for batch in batches:
        yield from changed(batch, quick, slow)


def batch_of(rows: List[Row]) -> Batch:
    """Return the batch of these rows, one at least."""
    if set(map(type, rows)) == {dict}:
        keys = tuple(rows[0])
        if not any(map(keys.__ne__, map(tuple, rows))):
            return Batch(dict(zip(keys, zip(*map(dict.values, rows)))), len(rows), rows)
    return Batch(None, len(rows), rows)


def rows_of(columns: Columns, count: int) -> List[Row]:
    """Return new rows with these values."""
    if not columns:
        return [{} for _ in range(count)]
    keys = tuple(columns)
    return [dict(zip(keys, values)) for values in zip(*columns.values())]


def most_after(most: int, size: int) -> int:
    """Return how many rows are to be in the next batch; size: about that of the text of the last one, with `most`."""
    return max(1, most * MOST_BYTES // size) if size > MOST_BYTES else min(MOST_ROWS, most * 2)


def _lists(batches: Iterator[Batch], begun: List[bool]) -> Iterator[List[Row]]:
    begun.append(True)
    for batch in batches:
        yield batch.rows()


def _column_size(values: Sequence[Any]) -> int:
    types = set(map(type, values))
    if types == {str}:
        return sum(map(len, values))
    return sum(map(_value_size, values)) if types & {str, list, dict, tuple} else 8 * len(values)


def _row_size(row: Row) -> int:
    if type(row) is dict:
        return 6 * len(row) + sum(map(_value_size, row.values()))
    if type(row) is tuple:  # a line with its row
        row = row[0]
    return len(row if type(row) is str else getattr(row, "line", "")) or 8


def _value_size(value: Any) -> int:
    if type(value) is str:
        return len(value)
    return len(repr(value)) if type(value) in (list, dict, tuple) else 8
