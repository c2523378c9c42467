"""Whether columns, taken together, have other values in each row: counted in the sink, with a bounded memory.

Of each row 64 bits are kept, the hash of its values as texts: of a hundred million rows that differ there would be one
chance in three thousand that two count as the same. As in SQL, a row with no value in one of the columns is no
duplicate of another.
"""

import json
from array import array
from datetime import date, datetime, time
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Any, Dict, List, Optional, Sequence

from .ranges import moment_text

MOST_ROWS = 8_000_000  # of a resource and all its checks together: 64 MB
_PARTS = 256  # each is looked at by itself in the end, so that only its hashes are numbers of Python's then
_MOMENT_KEYS = ("type{date}", "type{time}", "type{datetime}")
_MOST_ZEROES = 1_000  # that are written at the end of a number
_OTHER = "\0"  # before the text of a value that is no text
Values = Sequence[Any]


class UniqueCheck:
    """Counts the rows of a resource whose values in some columns stood in an earlier row already."""

    def __init__(self, columns: Sequence[str], most: int = MOST_ROWS) -> None:
        """most: how many rows it may know."""
        self._columns = list(columns)
        self._most = most
        self._count = 0
        self._parts = [array("q") for _ in range(_PARTS)]
        self._note = ""

    def add(self, columns: Dict[str, Values]) -> None:
        """Take note of rows, given as columns: by their names the values, as rows have them or as plain JSON."""
        if self._note or not all(name in columns for name in self._columns):  # what is not there has no value
            return
        rows = list(zip(*(texts_of(columns[name]) for name in self._columns)))
        self._count += len(rows)
        if self._count > self._most:
            self.give_up(f"more than {self._most:,} rows")
            return
        parts = self._parts
        for row in rows:
            if None not in row:
                number = hash(row)
                parts[number % _PARTS].append(number)

    def give_up(self, reason: str) -> None:
        """Have it say that it was not checked, and why."""
        self._note = "not checked: " + reason
        self._parts = []

    def facts(self) -> Dict[str, Any]:
        """Return `columns` and `duplicates`; `duplicates` is None when it was not checked: a `note` says why."""
        if self._note:
            return {"columns": self._columns, "duplicates": None, "note": self._note}
        return {"columns": self._columns, "duplicates": sum(len(part) - len(set(part)) for part in self._parts)}


def checks_of(asked: Sequence[Dict[str, Any]], resource: Dict[str, Any], most: int = MOST_ROWS) -> List[UniqueCheck]:
    """Return the checks of a resource that was described for the receipt.

    asked: each with `columns` and `resource`, a name or a glob, None for all; most: rows of all checks together.
    """
    name = resource["name"] or ""
    wanted = {tuple(each["columns"]): None for each in asked if _is_for(each.get("resource"), name)}
    known = {field["name"] for field in resource["fields"]}
    checks = []
    for columns in wanted:
        check = UniqueCheck(columns, most // len(wanted))
        missing = [column for column in columns if column not in known]
        if missing:
            check.give_up(f"there is no column {missing[0]}")
        checks.append(check)
    return checks


def _is_for(pattern: Optional[str], name: str) -> bool:
    return pattern is None or fnmatchcase(name, pattern)


def texts_of(values: Values) -> Values:
    """Return the values as texts, equal for equal ones; None for none."""
    types = set(map(type, values))
    if types == {str}:
        return values
    if types == {int}:
        return [f"\0{value}" for value in values]
    return [_text(value) for value in values]


def _text(value: Any) -> Optional[str]:
    kind = type(value)
    if value is None or kind is str:
        return value  # type: ignore[no-any-return]
    if kind in (int, float, Decimal):
        return _OTHER + _number_text(Decimal(repr(value)) if kind is float else Decimal(value))
    if kind in (date, time, datetime):
        return _OTHER + moment_text(value)
    if kind is dict and len(value) == 1:
        [(key, inner)] = value.items()
        if key in _MOMENT_KEYS:
            return _OTHER + str(inner)
        if key == "type{decimal}":
            try:
                return _OTHER + _number_text(Decimal(inner))
            except (TypeError, ValueError, ArithmeticError):
                return _OTHER + str(inner)
    return _OTHER + json.dumps(value, sort_keys=True, default=str)


def _number_text(number: Decimal) -> str:
    """Return the same text for equal numbers, other texts for others."""
    sign, digits, exponent = number.as_tuple()
    if not isinstance(exponent, int):
        return str(number)
    text = "".join(map(str, digits)).lstrip("0")
    short = text.rstrip("0")
    exponent += len(text) - len(short)
    if not short:
        return "0"
    plain = short + "0" * exponent if 0 <= exponent <= _MOST_ZEROES else f"{short}e{exponent}"
    return "-" + plain if sign else plain
