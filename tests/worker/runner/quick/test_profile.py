"""The sink counts nulls, the least and the greatest value and duplicates, the same from objects as from lines."""

import datetime
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.quick.comparing import DppPython

ZONES = st.none() | st.just(datetime.UTC)
OF_TYPES: dict[str, st.SearchStrategy[Any]] = {
    "integer": st.integers() | st.integers(-3, 3),
    "number": st.decimals()
    | st.decimals(-2, 2, places=1)
    | st.floats()
    | st.integers(-2, 2)
    | st.just(Decimal("1E+2")),
    "year": st.integers(1990, 2030),
    "date": st.dates(),
    "time": st.times(timezones=ZONES),
    "datetime": st.datetimes(timezones=ZONES),
    "string": st.text(max_size=3),
    "boolean": st.booleans(),
    "array": st.lists(st.integers(0, 1), max_size=2),
}
ANY = st.one_of(*OF_TYPES.values())


@st.composite
def resources(draw: st.DrawFn) -> dict[str, Any]:
    """Return fields, rows, and columns that are to be unique."""
    kinds = draw(st.lists(st.sampled_from(sorted(OF_TYPES)), min_size=1, max_size=4))
    fields = [{"name": f"f{place}", "type": kind} for place, kind in enumerate(kinds)]
    columns: dict[str, st.SearchStrategy[Any]] = {}
    for field in fields:
        own = OF_TYPES[field["type"]]
        others = draw(st.sampled_from([own, own, own, own | ANY]))
        columns[field["name"]] = st.none() | own | others
    rows = st.fixed_dictionaries({}, optional=columns) | st.fixed_dictionaries(columns)
    names = [field["name"] for field in fields]
    unique = draw(st.lists(st.sampled_from(names), min_size=1, max_size=2, unique=True))
    return {"fields": fields, "rows": draw(st.lists(rows, max_size=12)), "unique": unique}


@pytest.fixture(scope="module")
def profiled(dpp_python: Callable[..., DppPython]) -> DppPython:
    return dpp_python("profile")


@given(resource=resources())
@settings(max_examples=400, deadline=None)
def test_rows_are_counted_alike_from_objects_and_from_lines(profiled: DppPython, resource: object) -> None:
    assert profiled.differences(resource) == []


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("integer", [-1, -2]),  # whose hashes are the same in Python
        ("integer", [0, 2**61 - 1]),
        ("number", [Decimal("1E+900"), Decimal("1.0"), Decimal("1.00"), 1, 1.0]),
        ("number", [float("nan"), float("-inf"), Decimal("NaN"), Decimal("2.50")]),
        ("number", [Decimal("sNaN"), 1]),
        ("datetime", [datetime.datetime(1, 1, 1, 0, 0, 0, 7), datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)]),
        ("date", [datetime.date(2020, 1, 1), datetime.datetime(2020, 1, 1)]),
        ("string", ["true", True, "1", 1, "2020-01-01", datetime.date(2020, 1, 1)]),
    ],
    ids=repr,
)
def test_awkward_values_are_counted_alike(profiled: DppPython, kind: str, values: list[object]) -> None:
    rows = [{"f": value, "g": None} for value in values]
    fields = [{"name": "f", "type": kind}, {"name": "g", "type": kind}, {"name": "missing", "type": kind}]
    assert profiled.differences({"fields": fields, "rows": rows, "unique": ["f"]}) == []
