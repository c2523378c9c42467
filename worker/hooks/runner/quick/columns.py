"""Casts the columns of a batch as `rows.py` and `texts.py` cast its rows.

For rows that are to be cast one at a time anything at all is raised.
"""

from datetime import date
from typing import Any, Callable, Dict, List, Optional, Sequence

from ..batches import Batch, Columns
from .fields import ERROR, Cast, Parts, UnusualFieldError, cast_of, parts_of, reads_text_as_it_is

CastColumn = Callable[[Sequence[Any]], Sequence[Any]]
_DATE_LENGTH = len("2020-01-31")


class ColumnCaster:
    """Casts rows by some fields of a schema."""

    def __init__(self, fields: Sequence[Any]) -> None:
        """fields: of tableschema."""
        self._casts: Optional[Dict[str, _FieldCaster]] = None
        parts = [parts_of(field) for field in fields]
        if None not in parts and len({field.name for field in fields}) == len(fields):
            self._casts = {field.name: _FieldCaster(field, each) for field, each in zip(fields, parts) if each}

    def cast(self, batch: Batch) -> Optional[Batch]:
        """Return the rows with these fields cast, None or any error when each row is to be cast by itself."""
        columns = batch.columns
        if self._casts is None or columns is None:
            return None
        if not self._casts:
            return batch
        cast = {name: field.cast(columns[name]) for name, field in self._casts.items()}
        return Batch({**columns, **cast}, batch.count)


class _FieldCaster:
    """Casts the values of one field."""

    def __init__(self, field: Any, parts: Parts) -> None:
        self._parts = parts
        self._cast = cast_of(parts)
        self._texts = texts_column(field)
        self._special = frozenset([ERROR, *parts.missing])

    def cast(self, values: Sequence[Any]) -> Sequence[Any]:
        """Return the values as they are, or cast."""
        types = set(map(type, values))
        if types == {str}:
            return self._texts(values)
        parts = self._parts
        if not parts.checks and all(self._is_kept(kind) for kind in types):
            texts = [value for value in values if type(value) is str] if str in types else []
            if self._special.isdisjoint(texts):
                return values
        return [*map(self._cast, values)]

    def _is_kept(self, kind: type) -> bool:
        """Return whether values of a type stay; of text, when it is not special."""
        if kind is str:
            return reads_text_as_it_is(self._parts)
        return kind is type(None) or self._parts.by_type.get(kind, _unusual) is None


def texts_column(field: Any) -> CastColumn:
    """Return what casts the texts of a field."""
    parts = parts_of(field)
    if parts is None:
        return _each(field.cast_value) if type(field).__module__ == "tableschema.field" else _unusual
    if parts.checks:
        return _each(cast_of(parts))
    read = _reader(field, parts)
    missing = frozenset(parts.missing)

    def cast(values: Sequence[Any]) -> Sequence[Any]:
        if missing.isdisjoint(values):
            return read(values)
        there = iter(read([value for value in values if value not in missing]))
        return [None if value in missing else next(there) for value in values]

    return cast


def columns_of(names: Sequence[Any], rows: Sequence[Sequence[Any]]) -> Optional[Columns]:
    """Return rows as columns of these names, None when they are not as long, or two names are the same."""
    if set(map(len, rows)) != {len(names)} or len(set(names)) != len(names):
        return None
    return dict(zip(names, zip(*rows)))


def columns_caster(fields: Sequence[Any]) -> Callable[[Sequence[str], Sequence[Sequence[str]]], Columns]:
    """Return what casts rows of texts, given with the names of the fields."""
    casts = [texts_column(field) for field in fields]

    def cast(names: Sequence[str], rows: Sequence[Sequence[str]]) -> Columns:
        columns = columns_of(names, rows)
        if columns is None or len(columns) != len(casts):
            raise UnusualFieldError
        return {name: cast(columns[name]) for name, cast in zip(columns, casts)}

    return cast


def _reader(field: Any, parts: Parts) -> CastColumn:
    """Return what reads texts that are not missing values."""
    if reads_text_as_it_is(parts):
        return _as_it_is
    if field.type == "date" and field.format in ("default", "%Y-%m-%d"):
        return _days
    return _each(parts.read)


def _each(cast: Cast) -> CastColumn:
    return lambda values: [*map(cast, values)]


def _as_it_is(values: Sequence[str]) -> Sequence[str]:
    if ERROR in values:
        raise UnusualFieldError
    return values


def _days(values: Sequence[str]) -> List[date]:
    text = "".join(values)
    signs = set(text[4::_DATE_LENGTH] + text[7::_DATE_LENGTH])
    if set(map(len, values)) - {_DATE_LENGTH} or signs - {"-"}:
        raise UnusualFieldError
    return [*map(date.fromisoformat, values)]


def _unusual(values: Any) -> Any:
    raise UnusualFieldError(values)
