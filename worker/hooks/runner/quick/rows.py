"""Casts rows in place as `schema_validator` of dataflows does, which each of its dumpers and `set_type` has.

Most rows that it sees are cast already: the types of a row's values say that nothing changes, but for text that stands
for a missing value. For what is wrong or unusual the original's own lines run.
"""

from functools import partial
from importlib import import_module
from operator import itemgetter
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

from ..batches import Batch, RowBatches, batches_in, changed
from .columns import ColumnCaster
from .fields import ERROR, TABLESCHEMA_FILES, Cast, cast_of, parts_of, reads_text_as_it_is
from .known import unknown
from .lazy import plain_row

VALIDATOR_FILES = {
    "dataflows/base/schema_validator.py": "5021b4722de0cf2dcdf7a27a998672dc95fe2fb394ecc3efe91a2cd92e99fcc1",
}
MOST_KINDS = 1_000  # of rows, by keys and types
Row = Dict[str, Any]


def applies() -> Optional[str]:
    """Return None, or why rows are validated as ever."""
    return unknown("dataflows 0.5.12", VALIDATOR_FILES) or unknown("tableschema 1.21.0", TABLESCHEMA_FILES)


class RowCaster:
    """Casts rows by some fields of a schema."""

    def __init__(self, fields: List[Any]) -> None:
        self._fields = fields
        self._kinds: Dict[Tuple[Any, ...], Optional[_Kind]] = {}

    def cast(self, row: Any) -> bool:
        """Cast the values in the row and return True; False: the original is to, and nothing has happened."""
        plain = plain_row(row)
        kind = self._kind(plain)
        if plain is None or kind is None:
            return False
        if not self._cast(plain, kind):
            return False
        if plain is not row and self._fields:
            row._dirty = True  # as when its values are set
        return True

    def _cast(self, row: Row, kind: "_Kind") -> bool:
        if kind.changes or not kind.has_plain_text(row):
            try:
                changed = [(name, cast(row[name])) for name, cast in kind.casts]
            except Exception:  # noqa: BLE001 - the original says what is wrong, if anything is
                return False
            for name, value in changed:
                row[name] = value
        return True

    def leaves(self, row: Any) -> bool:
        """Return whether it is sure that casting changes nothing in the row, which has these fields and no others."""
        kind = self._kind(row)
        return kind is not None and not kind.changes and len(row) == len(self._fields) and kind.has_plain_text(row)

    def _kind(self, row: Any) -> Optional["_Kind"]:
        if type(row) is not dict:
            return None
        key = (*row, *map(type, row.values()))
        try:
            return self._kinds[key]
        except KeyError:
            kind = _kind_of(self._fields, row)
            if len(self._kinds) < MOST_KINDS:
                self._kinds[key] = kind
            return kind


class _Kind:
    """What is done to rows with the same keys and types."""

    def __init__(self, casts: List[Tuple[str, Cast]], changes: bool, text: List[str], special: List[str]) -> None:
        """casts: of all values that may change; changes: some always do; text: keys whose values change if special."""
        self.casts = casts
        self.changes = changes
        self.has_plain_text: Callable[[Row], bool] = _always if not text else _lacks(text, special)


def _kind_of(fields: List[Any], row: Row) -> Optional[_Kind]:
    """Return what is done to rows like this one, None when the original is to cast them."""
    casts: List[Tuple[str, Cast]] = []
    text: List[str] = []
    special = [ERROR]
    changes = False
    if len({field.name for field in fields}) != len(fields):
        return None
    for field in fields:
        parts = parts_of(field)
        if parts is None or field.name not in row:
            return None
        kind = type(row[field.name])
        if kind is str and reads_text_as_it_is(parts) and not parts.checks:
            text.append(field.name)
            special += parts.missing
        elif kind is type(None) or (kind is not str and kind in parts.by_type and parts.by_type[kind] is None):
            if not parts.checks:
                continue
            changes = True
        elif kind is str or kind in parts.by_type:
            changes = True
        else:
            return None
        casts.append((field.name, cast_of(parts)))
    return _Kind(casts, changes, text, special)


def _always(_row: Row) -> bool:
    return True


def _lacks(keys: List[str], special: List[str]) -> Callable[[Row], bool]:
    """Return a function that says whether none of a row's values with these keys is one of the special texts."""
    texts = frozenset(special)
    if len(keys) == 1:
        (key,) = keys
        return lambda row: row[key] not in texts
    values, none_in = itemgetter(*keys), texts.isdisjoint
    return lambda row: none_in(values(row))


class _Validation:
    """Does what a call of `schema_validator` does."""

    def __init__(self, module: Any, resource: Any, field_names: Any, on_error: Any) -> None:
        """Keep what is looked at with the first row: dataflows' module, and what its `schema_validator` is given."""
        self._module = module
        self._resource = resource
        self._field_names = field_names
        self._on_error = on_error
        self._fields: List[Any] = []

    def of_rows(self, rows: Any) -> Iterator[Any]:
        """Yield the rows, cast."""
        self._begin()
        yield from self._cast(rows, 0)

    def of_batches(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """Yield the batches, cast."""
        self._begin()
        cast, number = ColumnCaster(self._fields).cast, 0
        for batch in batches:
            yield from changed(batch, cast, partial(self._cast, first=number))
            number += batch.count

    def _begin(self) -> None:
        module, resource = self._module, self._resource
        self._on_error = module.wrap_handler(module.raise_exception if self._on_error is None else self._on_error)
        if isinstance(resource, module.Resource):
            schema = resource.schema
            assert schema is not None  # noqa: S101 - dataflows' own
            self._resource = resource.descriptor
        else:
            schema = module.Schema(resource.get("schema", {}))
        names = self._field_names
        self._fields = [field for field in schema.fields if names is None or field.name in names]

    def _cast(self, rows: Any, first: int) -> Iterator[Any]:
        """Yield the rows, cast; first: the number of the first."""
        fields, on_error, resource, error_class = self._fields, self._on_error, self._resource, self._module.CastError
        cast = RowCaster(fields).cast
        for number, row in enumerate(rows, first):
            if cast(row):
                yield row
                continue
            okay = True
            for field in fields:
                try:
                    row[field.name] = field.cast_value(row.get(field.name))
                except error_class as error:
                    if not on_error(resource["name"], row, number, error, field):
                        okay = False
            if okay:
                yield row


def install() -> None:
    """Change `schema_validator` of dataflows; who imports it from now on gets the quick one."""
    module: Any = import_module("dataflows.base.schema_validator")
    validate = module.schema_validator

    def schema_validator(resource: Any, iterator: Any, field_names: Any = None, on_error: Any = None) -> Iterator[Any]:
        validation, batches = _Validation(module, resource, field_names, on_error), batches_in(iterator)
        if batches is None:
            return validation.of_rows(iterator)
        return RowBatches.of(validation.of_batches(batches))

    schema_validator.__dict__.update(vars(validate))
    module.schema_validator = schema_validator
