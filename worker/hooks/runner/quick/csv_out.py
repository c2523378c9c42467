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
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

from .known import unknown
from .lazy import plain_row

FORMAT_FILES = {
    "dataflows/processors/dumpers/formats/base.py": "f182f191a27e41149abc93cea7ddd55e06c060931ecb44407e1865fbfd467d5f",
    "dataflows/processors/dumpers/formats/format_csv.py": (
        "0c4bfda6cc1a13958bccd3d17ebddedefb99ee6340410c839ee89d444958090e"
    ),
}
MOST_KINDS = 1_000  # of rows, by keys and types
_AS_CSV_DOES = (str, int, float, bool, Decimal, date, datetime, time, timedelta, list, dict)
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
        write_row: Any = None,
    ) -> None:
        """Write by `writer`, a csv.DictWriter; serializers: by a field's name; missing: text that is written as it is.

        dates: what does the same as a serializer in less time, by that serializer and the type of the value. write_row:
        does the same as the DictWriter's writer.
        """
        self._write = write_row or writer.writer.writerow
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

    def _values_of(self, keys: Tuple[Any, ...], row: Dict[str, Any]) -> Optional[Values]:
        """Return a function that gives the values of such rows for `csv`, None when the original is to write them."""
        names = self._names
        if len(set(names)) != len(names) or set(keys) != set(names):
            return None
        changes: List[Tuple[int, Serializer]] = []
        for place, name in enumerate(names):
            kind = type(row[name])
            serializer = self._serializers[name]
            if kind is type(None) or (serializer is str and kind in _AS_CSV_DOES):
                continue
            if kind not in _AS_CSV_DOES:
                return None
            quick = self._dates.get((serializer, kind), serializer)
            changes.append((place, self._unless_missing(quick) if kind is str and self._missing else quick))
        in_order: Values = dict.values if tuple(names) == keys else _getter(names)
        if not changes:
            return in_order

        def values(row: Dict[str, Any]) -> List[Any]:
            found = list(in_order(row))
            for place, change in changes:
                found[place] = change(found[place])
            return found

        return values

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
    wrapped = tempfile._TemporaryFileWrapper
    writers = (csv.DictWriter, module.CsvTitlesDictWriter)

    def quick_init(self: Any, file: Any, schema: Any, use_titles: bool = False, **options: Any) -> None:
        init(self, file, schema, use_titles, **options)
        self._quick_file = file

    def quick_write_row(self: Any, row: Any) -> None:
        try:
            writer = self._quick
        except AttributeError:
            writer = self._quick = writer_of(self)
        if writer is None or not writer.write(row):
            write_row(self, row)

    def writer_of(self: Any) -> Optional[RowWriter]:
        usual = type(self) is format_class and type(self.writer) in writers and type(self.missing_values) is list
        if not usual or any(type(text) is not str for text in self.missing_values):
            return None
        serializers = {name: field.descriptor["serializer"] for name, field in self.fields.items()}
        # A temporary file's own methods are wrapped, which costs a call for each row.
        bare = csv.writer(self._quick_file.file).writerow if type(self._quick_file) is wrapped else None
        return RowWriter(self.writer, serializers, tuple(self.missing_values), dates, bare)

    format_class.__init__ = quick_init
    format_class.write_row = quick_write_row
