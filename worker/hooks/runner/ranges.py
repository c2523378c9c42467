"""The least and the greatest value of a column: of numbers, dates, times and dates with times.

A value is one of Python's, or what plain JSON has in its place, such as {"type{date}": "2020-01-31"}: dpp's line of it.
"""

from datetime import date, datetime, time
from decimal import Decimal
from operator import attrgetter
from typing import Any, Dict, Optional, Sequence, Set

PLAIN_DIGITS = 30  # before or behind the point; a number with more of them is written with an exponent
LONGEST = 60  # characters of a number
Values = Sequence[Any]
_ZONE = attrgetter("tzinfo")


class ValueRange:
    """Knows the least and the greatest of what it was given, as long as all of it is of its type."""

    def __init__(self) -> None:
        self._ends: Values = ()
        self._is_known = True

    def add(self, values: Values, types: Set[type]) -> None:
        """Take note of values, none of which is None; types: theirs."""
        if self._is_known:
            try:
                found = [*self._ends, *self.ends(values, types)]
                self._ends = (min(found), max(found)) if found else ()
            except (TypeError, ValueError, KeyError, ArithmeticError):
                self._is_known = False

    def facts(self) -> Dict[str, str]:
        """Return `least` and `greatest` as texts; nothing where they are not known, or there was no value."""
        if not self._is_known or not self._ends:
            return {}
        least, greatest = map(self.text, self._ends)
        return {"least": least, "greatest": greatest}

    def ends(self, values: Values, types: Set[type]) -> Values:
        """Return the least and the greatest value, or nothing; raises what a value of another type leads to."""
        raise NotImplementedError

    def text(self, end: Any) -> str:
        """Return one of the ends for people."""
        raise NotImplementedError


class _Numbers(ValueRange):
    """Is for numbers; NaN is not one, and does not count."""

    def ends(self, values: Values, types: Set[type]) -> Values:
        if types != {int}:
            if types == {dict}:
                values = [Decimal(value["type{decimal}"]) for value in values]
            elif not types <= {int, float, Decimal}:
                values = [_number(value) for value in values]
            values = [value for value in values if value == value]  # not NaN
        return (min(values), max(values)) if values else ()

    def text(self, end: Any) -> str:
        return number_text(end)


class _Moments(ValueRange):
    """Is for dates, times, or both together; they are compared as texts, without zones, as dpp writes them."""

    def __init__(self, kind: Any, key: str) -> None:
        """kind: of Python's values; key: of what JSON has in their place."""
        super().__init__()
        self._kind = kind
        self._key = key

    def ends(self, values: Values, types: Set[type]) -> Values:
        if types == {dict}:
            texts = [value[self._key] for value in values]
        elif types == {self._kind} and not self._has_zones(values):
            return moment_text(min(values)), moment_text(max(values))
        else:
            texts = [self._text_of(value) for value in values]
        return min(texts), max(texts)

    def text(self, end: Any) -> str:
        return str(end).replace(" ", "T")

    def _has_zones(self, values: Values) -> bool:
        return self._kind is not date and set(map(_ZONE, values)) != {None}

    def _text_of(self, value: Any) -> str:
        if type(value) is self._kind:
            return moment_text(value)
        if type(value) is dict:
            return str(value[self._key])
        raise TypeError(type(value))


def range_of(kind: Any) -> Optional[ValueRange]:
    """Return a new range for the values of a field of this type; None: there is none for it."""
    if kind in ("integer", "number", "year"):
        return _Numbers()
    if isinstance(kind, str) and kind in _MOMENTS:
        return _Moments(_MOMENTS[kind], f"type{{{kind}}}")
    return None


_MOMENTS: Dict[str, Any] = {"date": date, "time": time, "datetime": datetime}


def moment_text(value: Any) -> str:
    """Return a date, a time or both as dpp's lines have it: to the second, without a zone."""
    if type(value) is datetime:
        return value.isoformat(" ")[:19]
    return str(value.isoformat())[: 10 if type(value) is date else 8]


def number_text(value: Any) -> str:
    """Return a number as people write it: no zeroes at its end, an exponent only when it is very long."""
    number = Decimal(repr(value)) if type(value) is float else Decimal(value)
    if not number.is_finite():
        return "-INF" if number < 0 else "INF"  # https://specs.frictionlessdata.io/table-schema/#number
    digits = number.adjusted()
    if not -PLAIN_DIGITS <= digits <= PLAIN_DIGITS:
        return f"{number:.6E}"
    text = format(number, "f")
    if "." in text:
        text = text[:LONGEST].rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _number(value: Any) -> Any:
    if type(value) in (int, float, Decimal):
        return value
    if type(value) is dict:
        return Decimal(value["type{decimal}"])
    raise TypeError(type(value))
