"""Reads the rows of a CSV file that is open as a tabulator's Stream, in batches."""

from importlib import import_module
from itertools import chain, islice
from typing import Any, Callable, Iterator, List, Sequence, Tuple

from ..batches import FIRST_ROWS, Batch, batch_of, in_batches, most_after
from .columns import columns_of


def stream_batches(stream: Any, iter_: Callable[..., Iterator[Any]]) -> Iterator[Batch]:
    """Yield the rows by their headers; iter_: the original's, which reads unusual files."""
    if not is_usual(stream) or not isinstance(stream._Stream__headers, list):
        yield from in_batches(iter_(stream, keyed=True))
        return
    for _, rows in lists_of_rows(stream):
        columns = columns_of(stream._Stream__headers, rows)
        if columns is None:
            yield batch_of([dict(zip(stream._Stream__headers, row)) for row in rows])
        else:
            yield Batch(columns, len(rows))


def lists_of_rows(stream: Any) -> Iterator[Tuple[Sequence[int], Sequence[Any]]]:
    """Yield the numbers of rows, and the rows, of a usual stream; what fails does so behind those before it."""
    rows_read = chain(stream._Stream__sample_extended_rows, stream._Stream__parser.extended_rows)
    most, size = FIRST_ROWS, 0
    try:
        while True:
            found: List[Any] = []
            try:
                found.extend(islice(rows_read, most))
            finally:
                new = [each for each in found if each[0] > stream._Stream__row_number]
                if new:
                    numbers, _, rows = zip(*new)
                    stream._Stream__row_number = numbers[-1]
                    size = sum(map(len, chain.from_iterable(rows)))
                    yield numbers, rows
            if len(found) < most:
                return
            most = most_after(most, size)
    except Exception as error:  # noqa: BLE001 - as it was
        raise reading_error(stream, error)  # noqa: B904 - as it was


def is_usual(stream: Any) -> bool:
    """Return whether a Stream reads a CSV file, and neither leaves out rows nor changes them."""
    if stream.closed or type(stream._Stream__parser) is not import_module("tabulator.parsers.csv").CSVParser:
        return False
    state = stream.__dict__
    skipping = ("skip_rows_by_numbers", "skip_rows_by_patterns", "skip_rows_by_comments", "pick_rows")
    changing = ("limit_rows", "offset_rows", "post_parse", "force_strings", "ignored_headers_indexes")
    return not (
        any(state[f"_Stream__{name}"] for name in skipping + changing)
        or state["_Stream__skip_rows_by_presets"].get("blank")
    )


def are_texts(stream: Any) -> bool:
    """Return whether all values of its rows are text: those of a CSV file, unless its numbers are to be read."""
    parser = stream._Stream__parser
    is_csv = type(parser) is import_module("tabulator.parsers.csv").CSVParser
    return is_csv and "quoting" not in parser._CSVParser__options


def reading_error(stream: Any, error: Exception) -> Exception:
    """Return the error that tabulator raises for this one."""
    exceptions: Any = import_module("tabulator.exceptions")
    if isinstance(error, UnicodeError):
        message = 'Cannot parse the source "%s" using "%s" encoding at "%s"'
        found = (stream._Stream__source, error.encoding, error.start)  # type: ignore[attr-defined]
        return exceptions.EncodingError(message % found)  # type: ignore[no-any-return]
    return exceptions.SourceError(str(error))  # type: ignore[no-any-return]
