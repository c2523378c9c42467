"""Writes values as PostgreSQL's COPY reads them, by columns: the same bytes as psycopg's, for values of known types.

https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-FILE-FORMATS
"""

from datetime import date, datetime, time
from decimal import Decimal
from importlib import import_module
from operator import attrgetter
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence

Write = Callable[[Sequence[Any]], Optional[Sequence[str]]]
"""Returns the texts of a column's values, None when psycopg is to write them; raises anything for unusual ones."""
_NULL = "\\N"
_LINES = 250  # that are written together
_ESCAPED = {sign: f"\\{letter}" for sign, letter in zip("\\\b\t\n\v\f\r", "\\btnvfr")}
_ESCAPES = str.maketrans(_ESCAPED)
_ZONE = attrgetter("tzinfo")


class UnusualValueError(Exception):
    """SQLAlchemy is to insert these values."""


def writers() -> Callable[[Any], Write]:
    """Return a function that gives what writes a column of SQLAlchemy's; it raises for other columns.

    Written are values that COPY takes as INSERT does.
    """
    types, postgresql = import_module("sqlalchemy.types"), import_module("sqlalchemy.dialects.postgresql")
    jsonb = import_module("psycopg.types.json").Jsonb
    integer, text = _writer(int, _by(str)), _writer(str, _escaped)
    by_type: Dict[type, Write] = {
        **dict.fromkeys((types.Integer, types.INTEGER, types.BigInteger, types.BIGINT, types.SMALLINT), integer),
        **dict.fromkeys((types.Text, types.TEXT, types.VARCHAR, postgresql.TEXT), text),
        **dict.fromkeys((types.Numeric, types.NUMERIC, postgresql.NUMERIC), _writer(Decimal, _numbers)),
        **dict.fromkeys((types.Boolean, types.BOOLEAN), _writer(bool, _by({False: "f", True: "t"}.__getitem__))),
        **dict.fromkeys((types.Date, types.DATE), _writer(date, _by(date.isoformat))),
        **dict.fromkeys((types.DateTime, types.TIMESTAMP, postgresql.TIMESTAMP), _writer(datetime, _moments)),
        **dict.fromkeys((types.Time, types.TIME, postgresql.TIME), _writer(time, _moments)),
        postgresql.JSONB: _writer(jsonb, _by_psycopg),
    }

    def writer(column: Any) -> Write:
        if column.identity is not None or column.computed is not None or getattr(column.type, "timezone", False):
            raise UnusualValueError
        return by_type[type(column.type)]

    return writer


def lines(writers: Sequence[Write], columns: Sequence[Sequence[Any]]) -> Iterator[str]:
    """Yield the lines of rows that are given by columns, some at a time; raises anything for unusual values."""
    for start in range(0, len(columns[0]), _LINES):
        texts = [write(values[start : start + _LINES]) or () for write, values in zip(writers, columns)]
        yield "\n".join(map("\t".join, zip(*texts))) + "\n"


def _writer(kind: type, texts: Write) -> Write:
    """Return what writes columns of NULL and values of this very type, of which `texts` writes the values."""
    usual = {kind, type(None)}

    def write(values: Sequence[Any]) -> Optional[Sequence[str]]:
        kinds = set(map(type, values))
        if not kinds <= usual:
            raise UnusualValueError
        if kinds == {kind}:
            return texts(values)
        written = texts([value for value in values if value is not None])
        if written is None:
            return None
        following = iter(written)
        return [_NULL if value is None else next(following) for value in values]

    return write


def _by(text: Callable[[Any], str]) -> Write:
    return lambda values: [*map(text, values)]


def _by_psycopg(_values: Sequence[Any]) -> Optional[List[str]]:
    return None


def _escaped(values: Sequence[str]) -> Sequence[str]:
    together = "".join(values)
    if any(sign in together for sign in _ESCAPED):
        return [value.translate(_ESCAPES) for value in values]
    return values


def _numbers(values: Sequence[Decimal]) -> List[str]:
    if not all(map(Decimal.is_finite, values)):
        raise UnusualValueError
    return [*map(str, values)]


def _moments(values: Sequence[Any]) -> List[str]:
    if set(map(_ZONE, values)) - {None}:
        raise UnusualValueError
    return [*map(str, values)]
