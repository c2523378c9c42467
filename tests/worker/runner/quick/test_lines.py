"""Rows become the lines that dpp's own codec makes of them, and lines the same rows."""

from collections.abc import Callable
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.quick.comparing import DppPython
from tests.worker.runner.quick.values import NESTED, TEXTS

TYPED = st.fixed_dictionaries(
    {},
    optional={
        f"type{{{name}}}": TEXTS | st.none() | st.integers(0, 9) | st.lists(st.integers(), max_size=2)
        for name in ("decimal", "time", "datetime", "date", "duration", "set", "other")
    },
)


@pytest.fixture(scope="module")
def lines(dpp_python: Callable[..., DppPython]) -> DppPython:
    return dpp_python("lines")


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(TEXTS, NESTED, max_size=5))
def test_a_row_is_written_as_dpp_writes_it_and_read_as_dpp_reads_it(lines: DppPython, row: dict[str, object]) -> None:
    assert lines.differences(row) == []


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(["a", "type{date}"]), TYPED | NESTED, max_size=2))
def test_what_looks_like_a_value_of_dpps_is_read_as_dpp_reads_it(lines: DppPython, row: dict[str, object]) -> None:
    assert lines.differences(row) == []


@pytest.mark.parametrize(
    "value",
    [
        {1: "a"}, {"a": object}, {None: 1}, {"a": {1: 2, "b": 3}}, {"a": b"bytes"}, "", "{", '{"a": 1} x', "\ufeff{}",
        "[1]", '{"a": NaN, "b": -Infinity, "a": 2}', '{"a": "\t"}', '{"type{date}": "2020-01-01"}',
        {"b": date(1, 1, 1), "a": 1},
    ],
)  # fmt: skip
def test_what_is_no_row_is_told_as_before(lines: DppPython, value: object) -> None:
    assert lines.differences(value) == []
