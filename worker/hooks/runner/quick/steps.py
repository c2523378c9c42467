"""Does what the row functions of dataflows' `filter_rows`, `delete_fields` and `add_computed_field` do, by columns.

Rows that come one at a time, and all that is unusual, are the originals'.
"""

from importlib import import_module
from itertools import compress
from typing import Any, Dict, Iterator, List, Optional, Sequence

from ..batches import Batch, Columns, RowBatches, all_changed, batches_in
from ..lined import LinedBatch
from .known import unknown

STEP_FILES = {
    "dataflows/processors/filter_rows.py": "491a0d10d57b5ebea3dc9509ac5b744f4f311e58f278e45a4d871d1870c9f0be",
    "dataflows/processors/delete_fields.py": "dd74e9460121b8a27164dbe5c835d08d0518e73224ceaa75264426a2df56a4b6",
    "dataflows/processors/add_computed_field.py": "19fc676157bf1bb492a1318904960e40620d032d6d09b357a1b5f23ce5002fba",
}
_OF_ROWS = ("format",)  # operations that are given the row


def applies() -> Optional[str]:
    """Return None, or why these steps take their rows one at a time."""
    return unknown("dataflows 0.5.12", STEP_FILES)


def install() -> None:
    """Change the modules' `process_resource`, and the conditions of `filter_rows`."""
    _change_filter(import_module("dataflows.processors.filter_rows"))
    _change_delete(import_module("dataflows.processors.delete_fields"))
    _change_computed(import_module("dataflows.processors.add_computed_field"))


def _change_filter(module: Any) -> None:
    process, conditions = module.process_resource, module.old_style_conditions

    def quick_process(rows: Any, condition: Any) -> Iterator[Any]:
        batches, keeps = batches_in(rows), getattr(condition, "of_columns", None)
        if batches is None or keeps is None:
            return process(rows, condition)  # type: ignore[no-any-return]

        def kept(batch: Batch) -> Batch:
            columns = batch.columns or {}
            selected = keeps(columns, batch.count)
            found: Columns = {key: [*compress(values, selected)] for key, values in columns.items()}
            if isinstance(batch, LinedBatch):
                return LinedBatch([*compress(batch.lines, selected)], found)
            return Batch(found, sum(selected))

        return RowBatches.of(all_changed(batches, kept, lambda rows: process(rows, condition)))

    def quick_conditions(equals: Any, not_equals: Any) -> Any:
        condition = conditions(equals, not_equals)
        condition.of_columns = lambda columns, count: _selected(equals, not_equals, columns, count)
        return condition

    module.process_resource, module.old_style_conditions = quick_process, quick_conditions


def _selected(equals: Any, not_equals: Any, columns: Columns, count: int) -> List[bool]:
    """Return of each row whether it is kept."""
    selected = [False] * count
    for key, value in [pair for each in equals for pair in each.items()]:
        selected = [is_in or bool(found == value) for is_in, found in zip(selected, columns[key])]
    for key, value in [pair for each in not_equals for pair in each.items()]:
        selected = [is_in or bool(found != value) for is_in, found in zip(selected, columns[key])]
    return selected


def _change_delete(module: Any) -> None:
    process = module.process_resource

    def quick_process(rows: Any, fields: Any) -> Iterator[Any]:
        batches = batches_in(rows)
        if batches is None:
            return process(rows, fields)  # type: ignore[no-any-return]

        def kept(batch: Batch) -> Batch:
            columns = batch.columns or {}
            return Batch({key: values for key, values in columns.items() if key in fields}, batch.count)

        return RowBatches.of(all_changed(batches, kept, lambda rows: process(rows, fields)))

    module.process_resource = quick_process


def _change_computed(module: Any) -> None:
    process, aggregators = module.process_resource, module.AGGREGATORS

    def quick_process(fields: Any, rows: Any) -> Iterator[Any]:
        batches = batches_in(rows)
        if batches is None or not are_usual(fields):
            return process(fields, rows)  # type: ignore[no-any-return]

        def computed(batch: Batch) -> Batch:
            found = dict(batch.columns or {})
            for field in fields:
                found[field["target"]["name"]] = _computed(field, aggregators, found, batch.count)
            return Batch(found, batch.count)

        return RowBatches.of(all_changed(batches, computed, lambda rows: process(fields, rows)))

    def are_usual(fields: Any) -> bool:
        return all(type(field["operation"]) is str and field["operation"] not in _OF_ROWS for field in fields)

    module.process_resource = quick_process


def _computed(field: Dict[str, Any], aggregators: Any, columns: Columns, count: int) -> Sequence[Any]:
    """Return a computed field's values."""
    function = aggregators[field["operation"]].func
    with_ = field.get("with", field.get("with_", ""))
    sources = [columns.get(name, (None,) * count) for name in field.get("source", [])]
    rows = zip(*sources) if sources else ((),) * count
    if all(type(None) not in set(map(type, values)) for values in sources):
        return [*map(sum, rows)] if field["operation"] == "sum" else [function(row, with_, None) for row in rows]
    return [function([value for value in row if value is not None], with_, None) for row in rows]
