"""Steps that take their rows in batches give what dataflows' own code gives of one at a time: rows, order, errors."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.quick.comparing import DppPython
from tests.worker.runner.quick.values import NUMBERS, PLAIN

FIELDS = ("a", "b", "c")
# A text times a number (`multiply`) must fit in the memory, or be far too much for it.
VALUES = (st.sampled_from([1, 2, 0, None, "1", "x", "", 1.5, True]) | NUMBERS | PLAIN).filter(
    lambda value: type(value) is not int or abs(value) < 100 or abs(value) >= 2**63
)
ROWS = st.lists(st.fixed_dictionaries(dict.fromkeys(FIELDS, VALUES)), max_size=8) | st.lists(
    st.dictionaries(st.sampled_from(FIELDS), VALUES), max_size=4
)
CONDITIONS = st.lists(
    st.dictionaries(st.sampled_from(FIELDS), st.sampled_from([1, "x", None, 1.5]), max_size=2), max_size=2
)
OPERATIONS = st.sampled_from(["sum", "avg", "max", "min", "multiply", "constant", "join", "format"])
COMPUTED = st.lists(
    st.fixed_dictionaries(
        {
            "operation": OPERATIONS,
            "target": st.sampled_from(["a", "new"]),
            "source": st.lists(st.sampled_from([*FIELDS, "none"]), max_size=3),
            "with": st.sampled_from(["-", "{a}"]),
        }
    ),
    min_size=1,
    max_size=2,
)
STEPS = st.one_of(
    st.tuples(st.just("filter_rows"), st.tuples(st.none(), CONDITIONS, CONDITIONS)),
    st.tuples(st.just("delete_fields"), st.tuples(st.lists(st.sampled_from(FIELDS), min_size=1, max_size=2))),
    st.tuples(st.just("add_computed_field"), st.tuples(COMPUTED)),
)


@pytest.fixture(scope="module")
def steps(dpp_python: Callable[..., DppPython]) -> DppPython:
    return dpp_python("steps")


@settings(max_examples=200, deadline=None)
@given(STEPS, ROWS)
def test_rows_come_out_of_a_step_as_before(steps: DppPython, step: tuple[str, object], rows: object) -> None:
    assert steps.differences((*step, FIELDS, rows)) == []
