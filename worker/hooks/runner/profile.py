"""Counts, while a resource's rows pass the sink, what the receipt says of its columns: its profile.

Of each field: the rows without a value, and of numbers, dates and times the least and the greatest. Rows are kept for
a moment and counted by columns, which takes a tenth of the time of counting each by itself. A row comes as an object
where the step before is in the sink's process, else as dpp's line of JSON: lines are read together, as plain JSON. Both
give the same. What is not known, as a value is of another type than its field, is left out.

dpp itself has it too, with any Python that dpp runs on (3.6).
"""

import json
from typing import Any, Dict, List, Optional, Sequence, Tuple

from .ranges import range_of
from .unique import UniqueCheck

KEPT_BYTES = 1 << 17  # of the lines of the rows that are kept
ROW_BYTES = 200  # what a row takes beside its line
_NONE = type(None)
Row = Dict[str, Any]
Values = Sequence[Any]
Columns = Dict[str, Values]


class Profile:
    """Counts the rows of one resource."""

    def __init__(self, fields: Sequence[Dict[str, Any]], checks: Sequence[UniqueCheck] = ()) -> None:
        """fields: each with its `name` and `type`, which `complete` adds to; checks: see the same rows."""
        self._fields = fields
        self._nulls = [0] * len(fields)
        self._ranges = [range_of(field["type"]) for field in fields]
        self._checks = checks
        self._lines: List[str] = []
        self._rows: Dict[Tuple[str, ...], List[Values]] = {}  # the values of rows with the same keys
        self._last_keys: Tuple[Any, ...] = ()
        self._last_rows: List[Values] = self._rows.setdefault((), [])
        self._kept = 0
        self._is_known = True

    def add(self, line: str, row: Optional[Row] = None) -> None:
        """Count a row; line: dpp's of it; row: the row itself, where there is one."""
        if row is None:
            self._lines.append(line)
        else:
            keys = tuple(row)
            if keys == self._last_keys or self._turn_to(keys):
                self._last_rows.append(tuple(row.values()))
            else:
                self._lines.append(line)
        self._kept += len(line) + ROW_BYTES
        if self._kept > KEPT_BYTES:
            self._count_kept()

    def add_lines(self, lines: Sequence[str]) -> None:
        """Count rows that are given as dpp's lines."""
        for line in lines:
            self.add(line)

    def add_columns(self, columns: Columns, count: int) -> None:
        """Count rows that are given as columns."""
        self._count(columns, count)
        for check in self._checks:
            check.add(columns)

    def complete(self) -> None:
        """Add to each field `nulls`, and to some `least` and `greatest`; nothing when a row could not be read."""
        self._count_kept()
        if self._is_known:
            for field, nulls, found in zip(self._fields, self._nulls, self._ranges):
                field["nulls"] = nulls
                if found is not None:
                    field.update(found.facts())

    def _turn_to(self, keys: Tuple[Any, ...]) -> bool:
        """Have the rows of these keys kept; return False when they are not what they are in a line."""
        if not all(type(key) is str for key in keys):
            return False
        self._last_keys, self._last_rows = keys, self._rows.setdefault(keys, [])
        return True

    def _count_kept(self) -> None:
        if self._lines:
            self._read_lines()
        for keys, rows in self._rows.items():
            if rows:
                columns: Columns = dict(zip(keys, zip(*rows)))
                self._count(columns, len(rows))
                for check in self._checks:
                    check.add(columns)
        self._rows, self._lines, self._kept = {self._last_keys: []}, [], 0
        self._last_rows = self._rows[self._last_keys]

    def _read_lines(self) -> None:
        try:
            rows = json.loads("[{}]".format(",".join(self._lines)))
        except (ValueError, RecursionError):  # no JSON, too many digits, too deep
            rows = []
        if len(rows) != len(self._lines) or set(map(type, rows)) != {dict}:
            self._is_known = False
            for check in self._checks:
                check.give_up("its rows cannot be read")
            return
        keys = tuple(rows[0])
        if all(map(keys.__eq__, map(tuple, rows))):  # nearly always
            self._rows.setdefault(keys, []).extend(map(tuple, map(dict.values, rows)))
            return
        for row in rows:
            self._rows.setdefault(tuple(row), []).append(tuple(row.values()))

    def _count(self, columns: Columns, count: int) -> None:
        for position, field in enumerate(self._fields):
            values = columns.get(field["name"])
            if values is None:
                self._nulls[position] += count
                continue
            found = self._ranges[position]
            if found is None:
                self._nulls[position] += values.count(None)
                continue
            types = set(map(type, values))
            if _NONE in types:
                values = [value for value in values if value is not None]
                types.remove(_NONE)
                self._nulls[position] += count - len(values)
            if types:
                found.add(values, types)
