"""What happens to a row between two processes of dpp's, without the text: `hop` gives what the next step would read.

dpp writes a row as a line of JSON with sorted keys and reads it again: tuples become lists, microseconds and zones are
dropped, nested values are copied. What is known to come back as it was is passed on; a value of any other type goes
through dpp's own codec. `changes` decides from a row's keys and the types of its values; rows of a kind are many.
Rows come in batches; where they have the same keys, it is done by columns.
"""

import datetime
import decimal
import logging
from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

from datapackage_pipelines.utilities.extended_json import LazyJsonLine, json

from . import lines
from .batches import Batch, changed
from .lined import LinedBatch

Change = Callable[[Any], Any]
Row = Any
# These come back equal and of the same type, and nothing can be changed in them.
_PLAIN = (str, int, float, bool, type(None), decimal.Decimal)
_PLAIN_SET = frozenset(_PLAIN)
_KINDS_KEPT = 1000  # of rows; a resource has a few, one whose rows have keys of their own has many


def through_codec(value: Any) -> Any:
    """Return what dpp's codec makes of a value. Raises TypeError for one that it cannot encode."""
    return json.loads(json.dumps(value, sort_keys=True, ensure_ascii=True))


def line_of(row: Row) -> str:
    """Return the line that dpp writes for a row. Raises TypeError for one that it cannot write."""
    return str(json.dumpl(row, sort_keys=True, ensure_ascii=True))


def with_line(row: Row) -> Any:
    """Return what the sink gets for a row: its line, and the row where it is at hand, to be counted by its values."""
    line = line_of(row)
    if type(row) is LazyJsonLine and row.dirty:
        row = row.inner
    return (line, row) if type(row) is dict else line


def to_sink(batches: Iterator[Batch]) -> Iterator[Batch]:
    """Yield batches as the sink gets them: with lines, or rows as `with_line` has them."""
    return _in_lines(batches, with_line)


def to_lines(batches: Iterator[Batch]) -> Iterator[Batch]:
    """Yield batches with lines, or of lines."""
    return _in_lines(batches, line_of)


def _in_lines(batches: Iterator[Batch], passed_on: Callable[[Row], Any]) -> Iterator[Batch]:
    for batch in batches:
        if isinstance(batch, LinedBatch):
            yield batch
        else:
            yield from changed(batch, _with_lines, lambda rows: _each(rows, passed_on))


def _with_lines(batch: Batch) -> Optional[Batch]:
    columns = batch.columns or {}
    texts = lines.write_columns(columns, batch.count)
    return None if texts is None else LinedBatch(texts, columns)


def _each(rows: Iterable[Row], passed_on: Callable[[Row], Any]) -> Iterator[Any]:
    """Yield what the rows become; one that cannot be written is logged as dpp does."""
    for row in rows:
        try:
            passed = passed_on(row)
        except TypeError as error:
            logging.error("Failed to encode row to JSON: %s\nOffending row: %r", error, row)
            raise
        yield passed


def as_read(row: Row) -> Any:
    """Return a row as the next process reads it: a line that is not taken apart yet."""
    return json.loadl(line_of(row))


def _date(value: datetime.date) -> Any:
    # strftime writes the years below 1000 with zeroes only where the C library does; then they come back.
    return value if value.year >= 1000 else through_codec(value)


def _time(value: datetime.time) -> datetime.time:
    if value.microsecond or value.tzinfo is not None or value.fold:
        return datetime.time(value.hour, value.minute, value.second)
    return value


def _datetime(value: datetime.datetime) -> Any:
    if value.year < 1000:
        return through_codec(value)
    if value.microsecond or value.tzinfo is not None or value.fold:
        return value.replace(microsecond=0, tzinfo=None, fold=0)
    return value


_CHANGES: Dict[type, Change] = {datetime.date: _date, datetime.time: _time, datetime.datetime: _datetime}


def changes(keys: Tuple[Any, ...], types: Tuple[type, ...]) -> Optional[List[Tuple[str, Optional[Change]]]]:
    """Return the keys in their order after the codec, each with what changes its value (None: nothing does).

    None: the row as a whole goes through the codec, because of what its keys are.
    """
    if any(type(key) is not str or key.startswith("type{") for key in keys):
        return None
    by_key = dict(zip(keys, types))
    return [
        (key, None if by_key[key] in _PLAIN else _CHANGES.get(by_key[key], through_codec)) for key in sorted(by_key)
    ]


class Link:
    """Takes rows from one step to the next; one for each place between two steps."""

    def __init__(self) -> None:
        self._kinds: Dict[Any, Callable[[Row], Row]] = {}

    def hop_all(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """Yield the batches as the next step reads them. Raises TypeError for a row that dpp cannot write."""
        for batch in batches:
            if isinstance(batch, LinedBatch):  # as another process has written it
                yield batch
            else:
                yield from changed(batch, hop_columns, lambda rows: _each(rows, self.hop))

    def hop(self, row: Row) -> Row:
        """Return the row as the next step reads it. Raises TypeError for one that dpp cannot write."""
        if type(row) is not dict:
            if isinstance(row, LazyJsonLine):
                if not row.dirty:  # changes within its values are lost in dpp too
                    return row if row._inner is None else LazyJsonLine(row.args, row.kwargs)
                row = row.inner
            if type(row) is not dict:
                return as_read(row)
        values = row.values()
        kind = (*row, *map(type, values))
        change = self._kinds.get(kind)
        if change is None:
            if len(self._kinds) > _KINDS_KEPT:
                self._kinds.clear()
            change = self._kinds[kind] = _changer(tuple(row), tuple(map(type, values)))
        return change(row)


def hop_columns(batch: Batch) -> Optional[Batch]:
    """Return rows as the next step reads them, None when they are to be taken one at a time."""
    columns = batch.columns or {}
    if any(type(key) is not str or key.startswith("type{") for key in columns):
        return None
    return Batch({key: _hop_column(columns[key]) for key in sorted(columns)}, batch.count)


def _hop_column(values: Sequence[Any]) -> Sequence[Any]:
    types = set(map(type, values))
    if types <= _PLAIN_SET or (types == {datetime.date} and min(values).year >= 1000):
        return values
    return [value if type(value) in _PLAIN_SET else _CHANGES.get(type(value), through_codec)(value) for value in values]


def _changer(keys: Tuple[Any, ...], types: Tuple[type, ...]) -> Callable[[Row], Row]:
    """Return the function for rows of these keys and types."""
    found = changes(keys, types)
    if found is None:
        return as_read
    if all(change is None for _, change in found):
        order = tuple(key for key, _ in found)
        if order == keys:
            return dict.copy
        return lambda row: {key: row[key] for key in order}
    parts = tuple(found)
    return lambda row: {key: row[key] if change is None else change(row[key]) for key, change in parts}
