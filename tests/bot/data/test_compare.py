"""What changed in the data, and the sentence that says it."""

from typing import Any

import pytest
from hypothesis import given

from bot.data.compare import compare
from bot.data.compared import compared_of
from bot.limits import MAX_FACTS
from bot.model.data_change import DataChange, NullsChange, RetypedColumn
from bot.model.receipt import Receipt
from tests.support.receipts import data_of, pipeline, receipt_of, receipts, resource

_BEFORE = data_of(
    resource("committees", 90_088, "id:integer:0 name:string:3 email"), resource("members", 500), hash="a"
)


def _summary(*resources: dict[str, Any], **more: Any) -> str:
    return compare(_BEFORE, data_of(*resources, **more)).summary


def test_the_first_data_of_an_environment_is_called_so() -> None:
    change = compare(None, data_of(resource("a", 980), resource("b", 3), resource("c", 1)))
    assert change.summary == "984 rows in 3 tables, the first"
    assert (change.before, change.rows_before, change.rows) == (None, None, 984)
    assert all(found.is_new and not found.is_gone for found in change.resources)


def test_the_same_hash_is_the_same_data() -> None:
    change = compare(_BEFORE, _BEFORE, 41)
    assert change.summary == "90,588 rows in 2 tables, the same as before"
    assert change.before == 41
    assert all(found.is_same for found in change.resources)


def test_as_many_rows_with_another_hash_are_not_called_the_same() -> None:
    same_rows = [resource("committees", 90_088, "id:integer:0 name:string:3 email"), resource("members", 500)]
    assert _summary(*same_rows, hash="b") == "90,588 rows in 2 tables, as many as before"
    assert _summary(*same_rows) == "90,588 rows in 2 tables, as many as before"


def test_more_rows_and_a_column_that_is_gone_are_said() -> None:
    summary = _summary(resource("committees", 90_225, "id:integer name"), resource("members", 500))
    assert summary == "90,725 rows (+137) in 2 tables, 1 column gone: email"


def test_rows_that_moved_from_one_table_to_another_are_a_change() -> None:
    summary = _summary(resource("committees", 90_000, "id:integer name email"), resource("members", 588))
    assert summary == "90,588 rows (+0) in 2 tables"


def test_all_that_changed_is_in_the_sentence() -> None:
    summary = _summary(resource("committees", 61_000, "id:string:0 name:string:12 chair"), resource("zones", 1))
    assert summary == (
        "61,001 rows (-29,587) in 2 tables, 1 new table: zones, 1 table gone: members, 1 column gone: email, "
        "1 new column: chair, 1 column of another type: id (integer to string), 1 column with more values missing: name"
    )


def test_of_many_names_the_first_are_said() -> None:
    before = data_of(resource("a", 1, "one two three four five"))
    after = data_of(resource("a", 1, "one"))
    summary = "1 row in 1 table, 4 columns gone: two, three, four and 1 more"
    assert compare(before, after).summary == summary


def test_a_column_that_several_tables_lose_is_named_with_its_table() -> None:
    before = data_of(resource("a", 1, "id email"), resource("b", 1, "id email"))
    after = data_of(resource("a", 1), resource("b", 1))
    assert compare(before, after).summary == "2 rows in 2 tables, 2 columns gone: a.email, b.email"


def test_a_pipeline_that_makes_no_table_is_said_to_make_none() -> None:
    assert compare(None, receipt_of(pipeline("./notify"))).summary == "no tables"


def test_each_resource_has_its_change() -> None:
    after = data_of(resource("committees", 61_000, "id:string:0 name:string:12 chair"))
    found = {change.name: change for change in compare(_BEFORE, after).resources}
    committees = found["committees"]
    assert (committees.pipeline, committees.before, committees.after) == ("./load", 90_088, 61_000)
    assert (committees.added, committees.removed) == (("chair",), ("email",))
    assert committees.retyped == (RetypedColumn(name="id", before="integer", after="string"),)
    assert committees.nulls == (NullsChange(name="name", before=3, after=12),)
    assert found["members"].is_gone
    assert (found["members"].before, found["members"].after) == (500, None)


def test_a_table_of_a_pipeline_that_has_another_name_now_is_the_same_table() -> None:
    after = receipt_of(pipeline("./all", resource("committees", 90_088), resource("members", 501)))
    members = compare(_BEFORE, after).resources[1]
    assert (members.pipeline, members.before, members.after, members.is_new) == ("./all", 500, 501, False)


def test_a_receipt_without_a_profile_is_compared_as_far_as_it_goes_and_says_so() -> None:
    change = compare(data_of(resource("a", 1, "id name")), data_of(resource("a", 2, "id:string:1 name:string:0")))
    assert (change.resources[0].before, change.resources[0].after, change.resources[0].nulls) == (1, 2, ())
    assert change.notes == ("the run before did not count values that are missing, so they are not compared",)


def test_resources_without_their_columns_are_compared_by_rows() -> None:
    change = compare(data_of(resource("a", 1, "id:string:0")), data_of(resource("a", 2, "")))
    assert not change.resources[0].is_known
    assert change.resources[0].removed == ()
    assert change.notes == ("a: its columns now are not known, so they are not compared",)


def test_what_a_receipt_does_not_list_is_not_gone() -> None:
    many = data_of(*(resource(f"t{number}", 1, "id:string:0") for number in range(MAX_FACTS + 7)), rows=MAX_FACTS + 7)
    change = compare(many, many)
    assert change.notes == (
        "7 tables of the run before are not listed and not compared",
        "7 tables of the run now are not listed and not compared",
    )
    assert change.rows == change.rows_before == MAX_FACTS + 7
    assert change.summary.startswith(f"{MAX_FACTS + 7} rows in {MAX_FACTS + 7} tables")
    assert not any(found.is_gone or found.is_new for found in change.resources)


def test_columns_that_a_receipt_does_not_list_are_neither_gone_nor_new() -> None:
    fields = " ".join(f"c{number}:string:0" for number in range(MAX_FACTS + 1))
    wide, narrow = data_of(resource("a", 1, fields)), data_of(resource("a", 1, fields.replace("c0:string:0 ", "")))
    change = compare(wide, narrow)
    # c0 is truly gone; the last one was not listed before, so it may have been there.
    assert (change.resources[0].removed, change.resources[0].added) == (("c0",), ())
    assert change.notes == ("1 column of a before is not listed and not compared",)


def test_data_of_another_environment_is_compared_by_what_is_known_of_it() -> None:
    change = compare(compared_of(_BEFORE, "staging", 7), data_of(resource("committees", 90_089, "id:integer:0 name")))
    assert (change.before, change.rows_before) == (7, 90_588)
    assert change.resources[0].removed == ("email",)


# One test for all properties, as to make a receipt takes ten times as long as to compare it.
@given(receipts(), receipts())
def test_any_two_runs_have_each_resource_once_sums_and_a_mirror_and_none_differs_from_itself(
    one: Receipt, other: Receipt
) -> None:
    forward, backward = compare(one, other), compare(other, one)
    _assert_mirrored(forward, backward)
    assert forward.rows == sum(found.after or 0 for found in forward.resources)
    assert forward.rows_before == sum(found.before or 0 for found in forward.resources)
    pairs = sum(not (found.is_new or found.is_gone) for found in forward.resources)
    listed = sum(len(found.resources) for receipt in (one, other) for found in receipt.pipelines)
    assert len(forward.resources) + pairs == listed
    assert DataChange.model_validate_json(forward.model_dump_json()) == forward
    itself = compare(one, one)
    assert itself.rows == itself.rows_before
    for found in itself.resources:
        assert (found.before, found.is_new, found.is_gone) == (found.after, False, False)
        assert (found.added, found.removed, found.retyped, found.nulls) == ((), (), (), ())


def _assert_mirrored(forward: DataChange, backward: DataChange) -> None:
    assert (forward.rows, forward.rows_before) == (backward.rows_before, backward.rows)
    assert _places(forward, is_gone=True) == _places(backward, is_gone=False)
    for found in forward.resources:
        if not (found.is_new or found.is_gone):
            mirrored = [
                back
                for back in backward.resources
                if (back.name, back.before, back.after) == (found.name, found.after, found.before)
                and (set(back.added), set(back.removed)) == (set(found.removed), set(found.added))
            ]
            assert mirrored


def _places(change: DataChange, *, is_gone: bool) -> set[tuple[str, str]]:
    return {(found.pipeline, found.name) for found in change.resources if (found.is_gone if is_gone else found.is_new)}


@pytest.mark.parametrize("rows", [None, 0])
def test_rows_that_were_not_counted_are_no_rows(rows: int | None) -> None:
    change = compare(None, data_of(resource("a", rows)))
    assert (change.rows, change.resources[0].after) == (0, rows)
