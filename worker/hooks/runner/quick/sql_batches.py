"""Takes rows to SQL tables in batches, where they come so, through `dump_to_sql` of dataflows and tableschema-sql.

Their own code writes a table from the first row on when it updates rows, or marks them, or has arrays and objects.
"""

from functools import partial
from importlib import import_module
from itertools import chain
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence

from ..batches import MOST_ROWS, Batch, Columns, RowBatches, batch_of, batches_in
from .columns import ColumnCaster
from .known import unknown

DUMPER_FILES = {
    "dataflows/processors/dumpers/to_sql.py": "61278bb5f4b34e242f24b18b728959e653846025004c7c2d31624ae58863cc9d",
}
Put = Callable[[Any, Any, Columns], bool]


def applies() -> Optional[str]:
    """Return None, or why `dump_to_sql` takes its rows one at a time."""
    return unknown("dataflows 0.5.12", DUMPER_FILES)


def install() -> None:
    """Change `SQLDumper.normalize_for_engine`, and the `map` of its module."""
    module: Any = import_module("dataflows.processors.dumpers.to_sql")
    dumper = module.SQLDumper
    normalize, output = dumper.normalize_for_engine, dumper.get_output_row

    def quick_normalize(self: Any, dialect: Any, resource: Any, schema_descriptor: Any) -> Iterator[Any]:
        batches = batches_in(resource)
        if batches is None or any(field["type"] in ("array", "object") for field in schema_descriptor["fields"]):
            return normalize(self, dialect, resource, schema_descriptor)  # type: ignore[no-any-return]
        return RowBatches.of(batches)

    def quick_map(function: Any, written: Any) -> Iterator[Any]:
        is_output = type(written) is WrittenRows and getattr(function, "__func__", None) is output
        if is_output and not function.__self__.updated_column and not function.__self__.updated_id_column:
            return written.rows  # type: ignore[no-any-return]
        return map(function, written)

    dumper.normalize_for_engine, module.map = quick_normalize, quick_map


class WrittenRows(map):  # type: ignore[type-arg] # its parameters are unknown to Python 3.8
    """Gives what a `Writer` yields; `rows` are the rows alone, and come in batches."""

    rows: RowBatches


def change_writer(module: Any, mapper_class: Any, put: Put) -> None:
    """Change `Writer.write` of tableschema-sql's module `writer`.

    put: given a writer, its connection and the columns of a batch, writes it and returns True, or changes nothing.
    """
    write = module.Writer.write

    def quick_write(self: Any, rows: Any, keyed: bool = False) -> Any:
        batches = batches_in(rows) if keyed and is_usual(self) else None
        if batches is None:
            return write(self, rows, keyed)
        written = RowBatches.of(written_batches(self, batches))
        result = WrittenRows(lambda row: module.WrittenRow(row, False, None), written)
        result.rows = written
        return result

    def is_usual(self: Any) -> bool:
        convert = self._Writer__convert_row
        return (
            self._Writer__update_keys is None
            and not self._Writer__autoincrement
            and type(convert) is partial
            and getattr(convert.func, "__func__", None) is mapper_class.convert_row
            and not convert.keywords["fallbacks"]
        )

    def written_batches(self: Any, batches: Iterator[Batch]) -> Iterator[Batch]:
        convert = self._Writer__convert_row
        fields = convert.keywords["schema"].fields
        names, caster = {field.name for field in fields}, ColumnCaster(fields)
        with self._Writer__engine.connect() as connection, connection.begin():
            for batch in in_sizes(batches, self._Writer__buffer_size + 1):
                converted = _converted(batch, names, caster)
                if converted is not None and converted.count > 1 and put(self, connection, converted.columns or {}):
                    for start in range(0, converted.count, MOST_ROWS):
                        yield _part(converted, start, min(start + MOST_ROWS, converted.count))
                    continue
                self._Writer__buffer = [convert(row) for row in batch.rows()]
                yield batch_of([written.row for written in self._Writer__insert(connection)])

    module.Writer.write = quick_write


def _converted(batch: Batch, names: Any, caster: ColumnCaster) -> Optional[Batch]:
    """Return the batch with its values as the table gets them, None when each row is to be converted by itself."""
    try:
        if batch.columns is None or batch.columns.keys() != names:
            return None
        return caster.cast(batch)
    except Exception:  # noqa: BLE001 - the original says what is wrong, if anything is
        return None


def in_sizes(batches: Iterator[Batch], size: int) -> Iterator[Batch]:
    """Yield the rows in batches of this size; the last may have fewer. Rows come before what fails behind them."""
    kept: List[Batch] = []
    count = 0
    for batch in batches:
        kept.append(batch)
        count += batch.count
        if count >= size:
            together = _together(kept)
            for start in range(0, count - size + 1, size):
                yield _part(together, start, start + size)
            rest = count % size
            kept, count = [_part(together, count - rest, count)] if rest else [], rest
    if kept:
        yield _together(kept)


def _together(batches: Sequence[Batch]) -> Batch:
    """Return one batch with the rows of these."""
    if len(batches) == 1:
        return batches[0]
    columns = [batch.columns for batch in batches if batch.columns is not None]
    if len(columns) < len(batches) or len(set(map(tuple, columns))) != 1:
        return batch_of([row for batch in batches for row in batch.rows()])
    joined: Dict[str, Sequence[Any]] = {
        key: [*chain.from_iterable(each[key] for each in columns)] for key in columns[0]
    }
    return Batch(joined, sum(batch.count for batch in batches))


def _part(batch: Batch, start: int, end: int) -> Batch:
    if batch.columns is None:
        return batch_of(batch.rows()[start:end])
    return Batch({key: values[start:end] for key, values in batch.columns.items()}, end - start)
