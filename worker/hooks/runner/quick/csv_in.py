"""Reads the rows of CSV files as tabulator and tableschema do, in two generators where they have six.

What filters, limits or changes rows on the way (skipped rows, blank headers, unique fields, integrity …) takes the
original's way from the first row on.
"""

import csv
from importlib import import_module
from itertools import chain, count, repeat
from typing import Any, Iterator, Optional

from .known import unknown
from .texts import CastTexts, texts_caster

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
    csv_parser = import_module("tabulator.parsers.csv").CSVParser
    exceptions = import_module("tabulator.exceptions")

    def quick_iter(self: Any, keyed: bool = False, extended: bool = False) -> Iterator[Any]:
        if self.closed or type(self._Stream__parser) is not csv_parser or _is_changed_on_the_way(self):
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
        except UnicodeError as error:
            message = 'Cannot parse the source "%s" using "%s" encoding at "%s"'
            raise exceptions.EncodingError(message % (self._Stream__source, error.encoding, error.start))  # type: ignore[attr-defined]  # noqa: B904 - as it was
        except Exception as error:  # noqa: BLE001 - as it was
            raise exceptions.SourceError(str(error))  # noqa: B904 - as it was

    stream_class.iter = quick_iter


def _is_changed_on_the_way(stream: Any) -> bool:
    """Return whether a Stream leaves out rows or changes them."""
    state = stream.__dict__
    skipping = ("skip_rows_by_numbers", "skip_rows_by_patterns", "skip_rows_by_comments", "pick_rows")
    changing = ("limit_rows", "offset_rows", "post_parse", "force_strings", "ignored_headers_indexes")
    return bool(
        any(state[f"_Stream__{name}"] for name in skipping + changing)
        or state["_Stream__skip_rows_by_presets"].get("blank")
    )


def _change_table(table: Any) -> None:
    table_class, iter_ = table.Table, table.Table.iter
    stream_class = import_module("tabulator.stream").Stream
    schema_class = import_module("tableschema.schema").Schema
    csv_parser = import_module("tabulator.parsers.csv").CSVParser
    raise_error = import_module("tableschema.helpers").default_exc_handler

    def is_usual(self: Any) -> bool:
        """Return whether rows are cast and nothing else; the stream is open."""
        schema, stream = self._Table__schema, self._Table__stream
        return (
            type(schema) is schema_class
            and type(stream) is stream_class
            and not self._Table__post_cast
            and (self._Table__headers or stream.headers) == schema.field_names
            and not table._create_unique_fields_cache(schema)
        )

    def caster_of(stream: Any, schema: Any) -> CastTexts:
        """Return what casts the stream's rows: of a CSV file they are text, unless its numbers are to be read."""
        parser = stream._Stream__parser
        is_text = type(parser) is csv_parser and "quoting" not in parser._CSVParser__options
        return texts_caster(schema.fields) if is_text else _not_text

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
        usual = keyed and cast and not extended and not integrity and not relations and exc_handler is None
        if usual:
            with self._Table__stream as stream:
                if is_usual(self):
                    schema = self._Table__schema
                    cast_texts = caster_of(stream, schema)
                    for number, headers, row in stream.iter(extended=True):
                        try:
                            values = cast_texts(row)
                        except Exception:  # noqa: BLE001 - the original says what is wrong, if anything is
                            values = schema.cast_row(row, row_number=number, exc_handler=raise_error)
                        if not self._Table__headers:
                            self._Table__headers = headers
                        yield dict(zip(headers, values))
                    return
                yield from iter_(self, keyed, extended, cast, integrity, relations, foreign_keys_values, exc_handler)
            return
        yield from iter_(self, keyed, extended, cast, integrity, relations, foreign_keys_values, exc_handler)

    table_class.iter = quick_iter


def _not_text(row: Any) -> Any:
    raise TypeError(row)
