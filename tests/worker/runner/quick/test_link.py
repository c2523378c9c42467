"""Between two steps of a lane a row becomes what dpp's line of JSON would have made of it."""

import datetime
from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.quick.comparing import DppPython

PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
ZONES = st.none() | st.just(datetime.UTC)
MOMENTS = (
    st.dates() | st.times(timezones=ZONES) | st.datetimes(timezones=ZONES)
    | st.timedeltas(datetime.timedelta(-999), datetime.timedelta(999))
)  # fmt: skip
VALUES = st.recursive(
    PLAIN | MOMENTS | st.decimals() | st.sets(st.integers(), max_size=1),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=3) | st.sampled_from(["type{date}", "type{decimal}"]), inner, max_size=2)
    ),
    max_leaves=4,
)
KEYS = st.sampled_from(["a", "b", "id", "Z", "שם", "type{time}", ""]) | st.text(max_size=3) | st.integers()
ROWS = st.dictionaries(KEYS, VALUES, max_size=5)


@pytest.fixture(scope="module")
def linked(dpp_python: Callable[..., DppPython]) -> DppPython:
    return dpp_python("link")


@given(row=ROWS)
@settings(max_examples=400, deadline=None)
def test_a_row_comes_over_the_link_as_over_a_line(linked: DppPython, row: object) -> None:
    assert linked.differences(row) == []


@pytest.mark.parametrize(
    "row",
    [
        {"b": 1, "a": Decimal("1.50")},
        {"a": datetime.datetime(1, 1, 1, 0, 0, 0, 7), "b": datetime.date(1, 1, 1), "c": datetime.time(1, 2, 3, 4)},
        {"a": (1, (2, {"x": (3,)}))},
        {"a": float("nan"), "b": float("-inf"), "c": Decimal("NaN"), "d": Decimal("1E+400")},
        {"type{date}": "2020-01-01"},
        {1: "a", "b": 2},
        {"a": object},
        {"a": {1, 2, 3}},
    ],
    ids=repr,
)
def test_an_awkward_row_comes_over_the_link_as_over_a_line(linked: DppPython, row: object) -> None:
    assert linked.differences(row) == []
