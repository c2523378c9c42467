"""Strips the text of rows as `load` of dataflows does, by one look at all of a row's text.

Every processor of dpp that is made of a flow reads its rows by `load`, so each row comes here once a step.
"""

from importlib import import_module
from typing import Any, Iterator, Optional, Sequence

from ..batches import Batch, RowBatches, all_changed, batches_in
from ..lined import LinedBatch
from .known import unknown
from .lazy import plain_row

LOAD_FILES = {
    "dataflows/processors/load.py": "280ea13ceccab2b8a53f3e7d4c4bce166041a5a60cf63b12624e6983ec61d1ca",
}
_BLANKS = frozenset(" \t\n\r")


def applies() -> Optional[str]:
    """Return None, or why text is stripped as ever."""
    return unknown("dataflows 0.5.12", LOAD_FILES)


def install() -> None:
    """Change `load.stripper` of dataflows."""
    load = import_module("dataflows.processors.load").load
    stripper, strip = load.stripper, str.strip

    def quick_stripper(self: Any, rows: Any) -> Iterator[Any]:
        batches = batches_in(rows)
        if batches is None:
            return in_rows(self, rows)
        return RowBatches.of(all_changed(batches, stripped, lambda rows: in_rows(self, rows)))

    def in_rows(self: Any, rows: Any) -> Iterator[Any]:
        for row in rows:
            plain = plain_row(row)
            if plain is not None:
                text = [value for value in plain.values() if isinstance(value, str)]
                if text == [*map(strip, text)]:  # the very same texts: `strip` copies none for nothing
                    yield row
                    continue
            yield from stripper(self, (row,))

    load.stripper = quick_stripper


def stripped(batch: Batch) -> Optional[Batch]:
    """Return the rows with their texts stripped of what stands around them, where that begins or ends with a blank.

    None: they are to be stripped one at a time, as lines of which some are written anew.
    """
    columns = batch.columns or {}
    found = {key: _stripped(values) for key, values in columns.items()}
    if all(found[key] is columns[key] for key in columns):
        return batch
    return None if isinstance(batch, LinedBatch) else Batch(found, batch.count)


def _stripped(values: Sequence[Any]) -> Sequence[Any]:
    types = set(map(type, values))
    if not any(issubclass(kind, str) for kind in types):
        return values
    if types == {str}:
        texts = [*map(str.strip, values)]
        if texts == [*values]:  # the very same texts: `strip` copies none for nothing
            return values
    return [_strip(value) if isinstance(value, str) else value for value in values]


def _strip(text: str) -> str:
    return text.strip() if text and (text[-1] in _BLANKS or text[0] in _BLANKS) else text
