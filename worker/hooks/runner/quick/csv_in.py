"""Reads the rows of CSV files as tabulator and tableschema do, in two generators where they have six.

In a lane they come in batches, and are cast by columns.
What filters, limits or changes rows on the way (skipped rows, blank headers, unique fields, integrity …) takes the
original's way from the first row on.
"""

import csv
from importlib import import_module
from itertools import chain, count, repeat
from typing import Any, Callable, Iterator, Optional

from ..batches import Batch, RowBatches, RowSources, in_batches
from .columns import columns_caster
from .csv_batches import are_texts, is_usual, lists_of_rows, reading_error, stream_batches
from .known import unknown
from .texts import texts_caster

TABULATOR_FILES = {
    "tabulator/parsers/csv.py": "de8c263f15c77f121565ff759be54106eae23994195c3a7123f2d07100290a78",
    "tabulator/stream.py": "1de98d9775bd12de6500663272dc678ee50a885be3137340b7e45e8e7ad1263b",
}
TABLESCHEMA_FILES = {
    "tableschema/helpers.py": "abb867849e3514dd5b59b10397b6fd9ce463042e59616e9b41677f86f54dc67c",
    "tableschema/table.py": "835533dad42018f7ca2e3a3707cbc57cef58e78f238003956f607298594434b3",
}


def applies() -> Optional[str]:
    """Return None, or why CSV files are read as ever."""
    return unknown("dataflows-tabulator 1.54.3", TABULATOR_FILES) or unknown("tableschema 1.21.0", TABLESCHEMA_FILES)


def install() -> None:
    """Change tabulator's `CSVParser` and `Stream.iter`, and `Table.iter` of tableschema."""
    import_module("tabulator.parsers.csv").CSVParser._CSVParser__iter_extended_rows = _numbered_rows
    _change_stream(import_module("tabulator.stream").Stream)
    _change_table(import_module("tableschema.table"))


def _numbered_rows(parser: Any) -> Iterator[Any]:
    """Yield (number, None, row) for the rows of a CSVParser; the first call reads the sample for the dialect."""
    sample, dialect = parser._CSVParser__prepare_dialect(parser._CSVParser__chars)
    yield from zip(count(1), repeat(None), csv.reader(chain(sample, parser._CSVParser__chars), dialect=dialect))


def _change_stream(stream_class: Any) -> None:
    iter_ = stream_class.iter

    def quick_iter(self: Any, keyed: bool = False, extended: bool = False) -> Iterator[Any]:
        if keyed and not extended and RowSources.give_batches:
            return RowBatches.of(stream_batches(self, iter_))
        return rows_in(self, keyed, extended)

    def rows_in(self: Any, keyed: bool, extended: bool) -> Iterator[Any]:
        if not is_usual(self):
            yield from iter_(self, keyed, extended)
            return
        try:
            for number, _, row in chain(self._Stream__sample_extended_rows, self._Stream__parser.extended_rows):
                if number > self._Stream__row_number:
                    self._Stream__row_number = number
                    if extended:
                        yield number, self._Stream__headers, row
                    elif keyed:
                        yield dict(zip(self._Stream__headers, row))
                    else:
                        yield row
        except Exception as error:  # noqa: BLE001 - as it was
            raise reading_error(self, error)  # noqa: B904 - as it was

    stream_class.iter = quick_iter


def _change_table(table: Any) -> None:
    table_class, iter_, reader = table.Table, table.Table.iter, _TableReader(table)

    def quick_iter(
        self: Any,
        keyed: bool = False,
        extended: bool = False,
        cast: bool = True,
        integrity: Any = False,
        relations: Any = False,
        foreign_keys_values: Any = False,
        exc_handler: Any = None,
    ) -> Iterator[Any]:
        given = (keyed, extended, cast, integrity, relations, foreign_keys_values, exc_handler)
        usual = keyed and cast and not extended and not integrity and not relations and exc_handler is None
        if not usual:
            return iter_(self, *given)  # type: ignore[no-any-return]
        return RowBatches.of(reader.batches(self, given)) if RowSources.give_batches else reader.rows(self, given)

    table_class.iter = quick_iter


class _TableReader:
    """Reads tables whose rows are cast, by their names."""

    def __init__(self, module: Any) -> None:
        """Keep what the module has, of tableschema: the class's `iter` reads unusual tables."""
        self._iter = module.Table.iter
        self._unique_fields = module._create_unique_fields_cache
        self._stream_class = import_module("tabulator.stream").Stream
        self._schema_class = import_module("tableschema.schema").Schema
        self._raise_error = import_module("tableschema.helpers").default_exc_handler

    def rows(self, table: Any, given: Any) -> Iterator[Any]:
        """Yield the rows; given: to `iter`."""
        with table._Table__stream as stream:
            if not self._is_usual(table):
                yield from self._iter(table, *given)
                return
            cast = self._row_caster(table, stream)
            for number, headers, row in stream.iter(extended=True):
                values = cast(row, number)
                if not table._Table__headers:
                    table._Table__headers = headers
                yield dict(zip(headers, values))

    def batches(self, table: Any, given: Any) -> Iterator[Batch]:
        """Yield the rows in batches; given: to `iter`."""
        with table._Table__stream as stream:
            if not (self._is_usual(table) and is_usual(stream) and are_texts(stream)):
                yield from in_batches(self.rows(table, given))
                return
            headers, cast = stream.headers, self._row_caster(table, stream)
            cast_columns = columns_caster(table._Table__schema.fields)
            for numbers, rows in lists_of_rows(stream):
                try:
                    batch = Batch(cast_columns(headers, rows), len(rows))
                except Exception:  # noqa: BLE001 - one at a time it is said what is wrong, if anything is
                    yield from in_batches(self._keyed(table, headers, map(cast, rows, numbers)), len(rows))
                else:
                    table._Table__headers = table._Table__headers or headers
                    yield batch

    def _keyed(self, table: Any, headers: Any, rows: Iterator[Any]) -> Iterator[Any]:
        for values in rows:
            table._Table__headers = table._Table__headers or headers
            yield dict(zip(headers, values))

    def _is_usual(self, table: Any) -> bool:
        """Return whether rows are cast and nothing else; the stream is open."""
        schema, stream = table._Table__schema, table._Table__stream
        return (
            type(schema) is self._schema_class
            and type(stream) is self._stream_class
            and not table._Table__post_cast
            and (table._Table__headers or stream.headers) == schema.field_names
            and not self._unique_fields(schema)
        )

    def _row_caster(self, table: Any, stream: Any) -> Callable[[Any, int], Any]:
        """Return what casts a row, given its number too."""
        schema = table._Table__schema
        cast_texts = texts_caster(schema.fields) if are_texts(stream) else _not_text

        def cast(row: Any, number: int) -> Any:
            try:
                return cast_texts(row)
            except Exception:  # noqa: BLE001 - the original says what is wrong, if anything is
                return schema.cast_row(row, row_number=number, exc_handler=self._raise_error)

        return cast


def _not_text(row: Any) -> Any:
    raise TypeError(row)
