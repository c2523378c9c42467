"""Profiles rows as the sink does, from objects and from lines, and by counting each value that dpp reads by itself."""

import datetime
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from importlib import import_module
from typing import Any

from tests.support.quick.comparing import serve

extended_json = import_module("datapackage_pipelines.utilities.extended_json")
link = import_module("dppctl_hooks.link")
profile: Any = import_module("dppctl_hooks.profile")
ranges = import_module("dppctl_hooks.ranges")
unique = import_module("dppctl_hooks.unique")
Facts = dict[str, Any]
MOMENTS = {"date": datetime.date, "time": datetime.time, "datetime": datetime.datetime}


def counted(given: Facts, is_object: Callable[[int], bool]) -> Facts:
    """Return what the sink says; is_object: whether the row at this place comes as an object."""
    facts = {"name": "rows", "fields": [dict(field) for field in given["fields"]]}
    checks = unique.checks_of([{"resource": "r*", "columns": given["unique"]}], facts)
    counting = profile.Profile(facts["fields"], checks)
    for place, row in enumerate(given["rows"]):
        passed = link.with_line(row) if is_object(place) else link.line_of(row)
        counting.add(*(passed if isinstance(passed, tuple) else (passed,)))
    counting.complete()
    return {**facts, "unique": [check.facts() for check in checks]}


def expected(given: Facts) -> Facts:
    """Return the same, counted row by row from the values that dpp's own decoder gives."""
    rows = [extended_json.json.loads(link.line_of(row)) for row in given["rows"]]
    fields = [field | column([row.get(field["name"]) for row in rows], field["type"]) for field in given["fields"]]
    keys = [tuple(map(canonical, map(row.get, given["unique"]))) for row in rows]
    duplicates = sum(count - 1 for key, count in Counter(keys).items() if None not in key)
    return {"name": "rows", "fields": fields, "unique": [{"columns": given["unique"], "duplicates": duplicates}]}


def column(values: list[Any], kind: str) -> Facts:
    """Return the profile of a column."""
    found = {"nulls": sum(value is None for value in values)}
    there = [value for value in values if value is not None]
    if kind in MOMENTS:
        known = all(type(value) is MOMENTS[kind] for value in there)
        text: Callable[[Any], str] = lambda value: value.isoformat()  # noqa: E731
    else:
        known = kind in ("integer", "number", "year") and all(map(is_number, there))
        text = ranges.number_text
        there = [value for value in there if not known or value == value]
    return found | ({"least": text(min(there)), "greatest": text(max(there))} if known and there else {})


def is_number(value: Any) -> bool:
    """Return whether a value is a number that can be compared, NaN included."""
    return type(value) in (int, float, Decimal) and not (type(value) is Decimal and value.is_snan())


def canonical(value: Any) -> Any:
    """Return a value that equals that of another one when the two are the same in a database."""
    if type(value) in (int, float, Decimal):
        is_finite = Decimal(repr(value) if type(value) is float else value).is_finite()
        return "number", Fraction(repr(value) if type(value) is float else value) if is_finite else str(Decimal(value))
    return None if value is None else (type(value).__name__, repr(value))


def difference(given: Facts) -> Any:
    """Return what is not as expected: from objects, from lines, and from both by turns."""
    right = expected(given)
    ways = {"objects": lambda _: True, "lines": lambda _: False, "both": lambda place: place % 3 == 0}
    found = {way: counted(given, is_object) for way, is_object in ways.items()}
    return [(way, facts, right) for way, facts in found.items() if facts != right]


if __name__ == "__main__":
    profile.KEPT_BYTES = 700  # so that a few rows are counted in several parts
    serve(difference)
