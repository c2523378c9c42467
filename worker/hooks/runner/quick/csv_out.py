"""Writes rows to CSV files as `dump_to_path` of dataflows does, by functions compiled for their keys and types.

The `csv` module itself makes text of most values; what else a field's serializer is asked for is asked of the same one.
A row with values of other types, or that cannot be written, is the original's, which says what is wrong.
"""

import csv
import tempfile
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from importlib import import_module
from operator import itemgetter
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from ..batches import Batch, Columns
from .known import unknown
from .lazy import plain_row

FORMAT_FILES = {
    "dataflows/processors/dumpers/formats/base.py": "f182f191a27e41149abc93cea7ddd55e06c060931ecb44407e1865fbfd467d5f",
    "dataflows/processors/dumpers/formats/format_csv.py": (
        "0c4bfda6cc1a13958bccd3d17ebddedefb99ee6340410c839ee89d444958090e"
    ),
}
MOST_KINDS = 1_000  # of rows, by keys and types
_WRITTEN = frozenset((str, int, float, bool, Decimal, date, datetime, time, timedelta, list, dict, type(None)))
Serializer = Callable[[Any], Any]
Values = Callable[[Dict[str, Any]], Any]


class RowWriter:
    """Writes rows of one resource by a csv.DictWriter."""

    def __init__(
        self,
        writer: Any,
        serializers: Mapping[str, Serializer],
        missing: Tuple[str, ...],
        dates: Mapping[Any, Any],
        bare: Any = None,
    ) -> None:
        """Write by `writer`, a csv.DictWriter; serializers: by a field's name; missing: text that is written as it is.

        dates: what does the same as a serializer in less time, by that serializer and the type of the value. bare: a
        csv.writer that does the same as the DictWriter's own.
        """
        self._write = (bare or writer.writer).writerow
        self._write_rows = (bare or writer.writer).writerows
        self._names = list(writer.fieldnames)
        self._serializers = serializers
        self._missing = missing
        self._dates = dates
        self._kinds: Dict[Tuple[Any, ...], Optional[Values]] = {}

    def write(self, row: Any) -> bool:
        """Write the row and return True; False: the original is to."""
        row = plain_row(row)
        if row is None:
            return False
        kind = (*row, *map(type, row.values()))
        try:
            values_of = self._kinds[kind]
        except KeyError:
            values_of = self._values_of(tuple(row), row)
            if len(self._kinds) < MOST_KINDS:
                self._kinds[kind] = values_of
        if values_of is None:
            return False
        try:
            values = values_of(row)
        except Exception:  # noqa: BLE001 - the original says what is wrong
            return False
        self._write(values)
        return True

    def write_columns(self, columns: Columns) -> bool:
        """Write rows that are given as columns and return True; False: they are to be written one at a time."""
        try:
            values = self._written(columns)
        except Exception:  # noqa: BLE001 - one at a time it is said what is wrong
            return False
        if values is None:
            return False
        self._write_rows(zip(*values))
        return True

    def _written(self, columns: Columns) -> Optional[List[Sequence[Any]]]:
        """Return the columns as `csv` is to write them, None when the original is to."""
        names = self._names
        if not names or len(set(names)) != len(names) or set(columns) != set(names):
            return None
        found: List[Sequence[Any]] = []
        for name in names:
            values = columns[name]
            changes = {kind: self._change(name, kind) for kind in set(map(type, values))}
            used = {kind: change for kind, change in changes.items() if change is not None}
            if len(used) == len(changes) == 1:
                values = [*map(used.popitem()[1], values)]
            elif used:
                values = [used[type(value)](value) if type(value) in used else value for value in values]
            found.append(values)
        return found

    def _values_of(self, keys: Tuple[Any, ...], row: Dict[str, Any]) -> Optional[Values]:
        """Return a function that gives the values of such rows for `csv`, None when the original is to write them."""
        names = self._names
        if len(set(names)) != len(names) or set(keys) != set(names):
            return None
        changes: List[Tuple[int, Serializer]] = []
        for place, name in enumerate(names):
            kind = type(row[name])
            if kind not in _WRITTEN:
                return None
            change = self._change(name, kind)
            if change is not None:
                changes.append((place, change))
        in_order: Values = dict.values if tuple(names) == keys else _getter(names)
        if not changes:
            return in_order

        def values(row: Dict[str, Any]) -> List[Any]:
            found = list(in_order(row))
            for place, change in changes:
                found[place] = change(found[place])
            return found

        return values

    def _change(self, name: str, kind: type) -> Optional[Serializer]:
        """Return what makes text of values of a type for `csv`, None when it does so itself. Raises KeyError."""
        if kind not in _WRITTEN:
            raise KeyError(kind)
        serializer = self._serializers[name]
        if kind is type(None) or serializer is str:
            return None
        quick: Serializer = self._dates.get((serializer, kind), serializer)
        return self._unless_missing(quick) if kind is str and self._missing else quick

    def _unless_missing(self, serializer: Serializer) -> Serializer:
        return lambda value: value if value in self._missing else serializer(value)


def _getter(names: List[str]) -> Values:
    return itemgetter(*names) if len(names) > 1 else lambda row: [row[name] for name in names]


def iso_writers(serializers: Mapping[str, Serializer], between: str) -> Dict[Any, Serializer]:
    """Return what does the same as the serializers of dates and times; between: sign between a date and its time."""
    writers: Dict[Any, Serializer] = {
        (serializers["date"], date): date.isoformat,
        (serializers["datetime"], datetime): lambda value: value.isoformat(between, "seconds")[:19],  # without a zone
        (serializers["time"], time): lambda value: value.isoformat("seconds")[:8],
    }
    samples = (date(1, 2, 3), datetime(1, 2, 3, 4, 5, 6, 7), time(4, 5, 6, 7))
    same = all(write(value) == serializer(value) for ((serializer, _), write), value in zip(writers.items(), samples))
    return writers if same else {}  # the C library writes years before 1000 in its own way


def applies() -> Optional[str]:
    """Return None, or why CSV files are written as ever."""
    return unknown("dataflows 0.5.12", FORMAT_FILES)


def install() -> None:
    """Change `CSVFormat.write_row` of dataflows."""
    module = import_module("dataflows.processors.dumpers.formats.format_csv")
    format_class, write_row, init = module.CSVFormat, module.CSVFormat.write_row, module.CSVFormat.__init__
    dates = iso_writers(format_class.SERIALIZERS, "T")
    writers = (csv.DictWriter, module.CsvTitlesDictWriter)

    def quick_init(self: Any, file: Any, schema: Any, use_titles: bool = False, **options: Any) -> None:
        init(self, file, schema, use_titles, **options)
        self._quick_file = file

    def quick_write_row(self: Any, row: Any) -> None:
        writer = writer_of(self)
        if writer is None or not writer.write(row):
            write_row(self, row)

    def write_batch(self: Any, batch: Batch) -> None:
        writer = writer_of(self)
        if writer is None or batch.columns is None or not writer.write_columns(batch.columns):
            for row in batch.rows():
                self.write_row(row)

    def writer_of(self: Any) -> Optional[RowWriter]:
        try:
            return self._quick  # type: ignore[no-any-return]
        except AttributeError:
            self._quick = _new_writer(self, format_class, writers, dates)
            return writer_of(self)

    format_class.__init__ = quick_init
    format_class.write_row = quick_write_row
    format_class.write_batch = write_batch


def _new_writer(
    made: Any, format_class: Any, writers: Tuple[Any, ...], dates: Mapping[Any, Any]
) -> Optional[RowWriter]:
    """Return what writes for this CSVFormat, None for an unusual one; writers: the classes of those that are known."""
    usual = type(made) is format_class and type(made.writer) in writers and type(made.missing_values) is list
    if not usual or any(type(text) is not str for text in made.missing_values):
        return None
    serializers = {name: field.descriptor["serializer"] for name, field in made.fields.items()}
    # A temporary file's own methods are wrapped, which costs a call for each row.
    is_wrapped = type(made._quick_file) is tempfile._TemporaryFileWrapper
    bare = csv.writer(made._quick_file.file) if is_wrapped else None
    return RowWriter(made.writer, serializers, tuple(made.missing_values), dates, bare)
