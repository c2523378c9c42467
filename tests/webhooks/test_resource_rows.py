"""What came out and what changed, resource by resource."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as some

from bot.data.compare import compare
from bot.model.receipt import Receipt
from tests.support.page_states import receipt_of
from webhooks.resource_rows import resource_rows


def receipt(rows: int, names: tuple[str, ...] = ("countries",), **more: Any) -> Receipt:
    return Receipt.model_validate(receipt_of(rows, names, **more))


def test_each_resource_has_its_rows_and_what_changed() -> None:
    before, after = receipt(10, ("countries", "old")), receipt(13, ("countries", "new"), is_wider=True)
    rows = {row.name: row for row in resource_rows(after, compare(before, after, 41))}
    assert list(rows) == ["countries", "new", "old"]
    countries, new, old = rows.values()
    assert (countries.rows, countries.difference, countries.columns) == (13, 3, 4)
    assert countries.notes == ("new column: capital",)
    assert (new.rows, new.difference, new.notes) == (14, None, ("new",))
    assert (old.rows, old.difference, old.notes) == (None, None, ("gone",))


def test_columns_that_went_or_have_another_type_and_values_that_are_missing_are_said() -> None:
    before, after = receipt_of(10, ["countries"], is_wider=True), receipt_of(10, ["countries"])
    fields = after["pipelines"][0]["resources"][0]["fields"]
    fields[0] = {"name": "code", "type": "integer", "nulls": 0}
    fields[1] = {**fields[1], "nulls": 8}
    after["pipelines"][0]["hash"] = "another"
    old, new = (Receipt.model_validate(found) for found in (before, after))
    (row,) = resource_rows(new, compare(old, new))
    assert row.notes == (
        "column gone: capital",
        "code is integer now, was string",
        "population has no value in 8 rows, 5 more",
    )


def test_the_first_data_has_no_change() -> None:
    (row,) = resource_rows(receipt(10), compare(None, receipt(10)))
    assert (row.rows, row.difference, row.notes) == (10, None, ())


def test_the_same_data_is_said_to_be_the_same() -> None:
    (row,) = resource_rows(receipt(10), compare(receipt(10), receipt(10)))
    assert (row.difference, row.notes) == (0, ("the same as before",))


NAMES = some.lists(some.sampled_from(["a", "b", "c", "d"]), unique=True).map(tuple)


@given(NAMES, NAMES, some.integers(0, 9), some.integers(0, 9))
def test_every_resource_of_both_runs_has_one_row(
    old: tuple[str, ...], new: tuple[str, ...], before: int, after: int
) -> None:
    one, other = receipt(before, old), receipt(after, new)
    rows = resource_rows(other, compare(one, other))
    assert [row.name for row in rows] == [*new, *(name for name in old if name not in new)]
