"""Whether data is as expected: what each violation says, and that rounding never contradicts it."""

import re
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.data.compared import compared_of
from bot.data.expectations import check
from bot.limits import MAX_FACTS
from bot.model.expectations import Expectation
from bot.model.receipt import Receipt
from bot.model.values import Source
from tests.support.receipts import data_of, pipeline, receipt_of, receipts, resource

_BEFORE = data_of(resource("committees", 90_088, "id:integer:0 name email"), resource("zones", 984))
_PAST = compared_of(_BEFORE, "production", 41)


def _expect(**expectation: Any) -> Expectation:
    return Expectation.model_validate(expectation)


def _check(after: Receipt, *expectations: Expectation, **more: Any) -> list[str]:
    given_values = {"before": _PAST, "compared": []} | more
    return [str(found) for found in check(expectations, after, **given_values)]


def test_too_few_rows_are_a_violation() -> None:
    after = data_of(resource("committees", 61_000))
    expectation = _expect(resource="committees", minRows=61_001)
    assert _check(after, expectation) == ["committees: 61,000 rows; minRows is 61,001"]
    assert _check(after, _expect(resource="committees", minRows=61_000)) == []


def test_a_drop_is_said_with_what_it_is_compared_with() -> None:
    after = data_of(resource("committees", 61_000, "id:integer name email"), resource("zones", 984))
    expectation = _expect(maxDropPercent=20)
    fewer = "committees: 61,000 rows, 32 % fewer than the 90,088"
    assert _check(after, expectation) == [f"{fewer} of deployment 41; maxDropPercent is 20"]
    unnumbered = _PAST.model_copy(update={"deployment": None})
    assert _check(after, expectation, before=unnumbered) == [f"{fewer} before; maxDropPercent is 20"]
    there = [compared_of(_BEFORE, "staging", 7), _PAST]
    with_staging = _expect(maxDropPercent=20, comparedWith="staging")
    assert _check(after, with_staging, before=None, compared=there) == [
        f"{fewer} of deployment 7 in staging; maxDropPercent is 20"
    ]
    assert _check(after, _expect(maxDropPercent=33)) == []


def test_a_resource_that_is_gone_dropped_all_its_rows() -> None:
    after = data_of(resource("committees", 90_088))
    assert _check(after, _expect(resource="zones", maxDropPercent=99.5, columns="keep")) == [
        "zones: gone, 100 % fewer rows than the 984 of deployment 41; maxDropPercent is 99.5"
    ]
    assert _check(after, _expect(resource="zones", maxDropPercent=100, columns="keep")) == [
        "zones: gone, compared with deployment 41; columns is keep"
    ]


def test_an_environment_without_data_cannot_lose_any() -> None:
    assert _check(data_of(resource("a", 0)), _expect(maxDropPercent=0, columns="keep"), before=None) == []


def test_columns_that_are_gone_or_of_another_type_are_said() -> None:
    after = data_of(resource("committees", 90_088, "id:string chair"), resource("zones", 984))
    assert _check(after, _expect(columns="keep")) == [
        "committees: columns name, email gone, compared with deployment 41; columns is keep",
        "committees: column id is string and was integer, compared with deployment 41; columns is keep",
    ]


def test_rows_without_a_value_are_counted() -> None:
    after = data_of(resource("committees", 9, "id:integer:0 name:string:2 chair:string:1"))
    assert _check(after, _expect(notNull=["id", "name", "chair"])) == [
        "committees: 2 rows without name; notNull has name",
        "committees: 1 row without chair; notNull has chair",
    ]


def test_what_an_older_worker_did_not_count_cannot_be_promised() -> None:
    assert _check(data_of(resource("committees", 9)), _expect(notNull=["id"], unique=["id"])) == [
        "committees: rows without id were not counted (by an older worker?); notNull has id",
        "committees: not checked whether id is unique: the worker that ran it does not check that",
    ]


@pytest.mark.parametrize(
    ("unique", "message"),
    [
        ({"columns": ["name", "id"], "duplicates": 0}, None),
        ({"columns": ["id", "name"], "duplicates": 2}, "2 rows repeat the id, name of another row; unique is id, name"),
        (
            {"columns": ["id", "name"], "note": "more than 64 MB of values"},
            "not checked whether id, name is unique: more than 64 MB of values",
        ),
        ({"columns": ["id"], "duplicates": 0}, "not checked whether id, name is unique"),
    ],
)
def test_rows_that_repeat_columns_are_a_violation(unique: dict[str, Any], message: str | None) -> None:
    found = _check(data_of(resource("committees", 9, "id name", unique=[unique])), _expect(unique=["id", "name"]))
    assert len(found) == (message is not None)
    assert message is None or found[0].startswith(f"committees: {message}")


def test_an_expectation_of_a_resource_that_is_not_there_names_those_that_are() -> None:
    after = data_of(resource("committees", 9), resource("zones", 3))
    assert _check(after, _expect(resource="comittees", minRows=1)) == [
        ".dppctl.yaml, expect: no resource is comittees; there is committees, zones; did you mean committees?"
    ]
    assert _check(after, _expect(resource="x*", minRows=1, line=12), before=None) == [
        ".dppctl.yaml:12: no resource is x*; there is committees, zones"
    ]
    assert _check(data_of(), _expect(minRows=1), before=None) == [".dppctl.yaml, expect: no resource came out"]


def test_the_file_of_an_app_in_a_folder_is_named_with_it() -> None:
    source = Source(repository="ann/app", path="pipelines", ref="refs/heads/master", commit="a" * 40)
    after = data_of(resource("zones", 3)).model_copy(update={"source": source})
    [message] = _check(after, _expect(resource="zone", minRows=1, line=12), before=None)
    assert message.startswith("pipelines/.dppctl.yaml:12: no resource is zone")


def test_a_column_that_is_not_there_is_a_violation() -> None:
    after = data_of(resource("zones", 9, "id:integer:0 name:string:0"))
    assert _check(after, _expect(resource="zones", notNull=["nam"], unique=["ID"])) == [
        "zones: no column is nam, which notNull has; there is id, name; did you mean name?",
        "zones: no column is ID, which unique has; there is id, name",
    ]


def test_what_is_compared_with_an_environment_without_data_is_a_violation() -> None:
    [message] = _check(data_of(resource("zones", 9)), _expect(columns="keep", comparedWith="staging"))
    assert message.endswith("nothing is known of the data of staging, which comparedWith names; deploy there first")


def test_resources_that_the_receipt_does_not_list_are_not_promised() -> None:
    many = data_of(*(resource(f"t{number}", 1) for number in range(MAX_FACTS + 7)))
    [message] = _check(many, _expect(minRows=1), before=None)
    assert message.startswith(".dppctl.yaml, expect: 7 more resources are not in the receipt, so they are not checked")
    assert _check(many, _expect(resource="t1", minRows=1), before=None) == []


def test_after_a_run_of_some_pipelines_only_theirs_are_checked() -> None:
    after = receipt_of(pipeline("./a", resource("one", 1)), pipeline("./b", resource("two", 1)))
    expectations = [_expect(minRows=5), _expect(resource="three", minRows=5)]
    assert _check(after, *expectations, before=None, pipelines={"./b"}) == ["two: 1 row; minRows is 5"]


@given(st.integers(1, 10**12), st.integers(0, 10**12), st.floats(0, 100) | st.integers(0, 100))
def test_what_is_said_of_a_drop_agrees_with_the_verdict(before: int, after: int, most: float) -> None:
    past = compared_of(data_of(resource("a", before)), "production")
    found = _check(data_of(resource("a", after)), _expect(maxDropPercent=most), before=past)
    assert bool(found) == (Fraction(100 * (before - after), before) > Fraction(str(most)))
    for message in found:
        said = re.search(r" ([0-9.]+) % fewer", message)
        assert said
        assert Fraction(said[1]) > Fraction(str(most))
        assert (Fraction(said[1]) == 100) == (after == 0)


@given(receipts())
def test_data_that_stayed_the_same_never_violates_a_comparison(receipt: Receipt) -> None:
    expectation = _expect(maxDropPercent=0, columns="keep")
    found = _check(receipt, expectation, before=compared_of(receipt, "production", 1))
    empty = not any(part.resources for part in receipt.pipelines)
    uncounted = [message for message in found if "were not counted" in message or "no resource came out" in message]
    assert found == uncounted
    assert empty or not any("no resource" in message for message in found)


@given(receipts(), receipts())
def test_no_message_is_longer_than_a_line(before: Receipt, after: Receipt) -> None:
    expectations = [_expect(maxDropPercent=5, columns="keep", notNull=["a"], unique=["a", "b"], minRows=2)]
    found = _check(after, *expectations, before=compared_of(before, "production"))
    assert all("\n" not in message for message in found)
    assert len(found) == len(set(found))
