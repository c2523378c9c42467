"""What is compared with later, and the receipt of data that came from several runs."""

from hypothesis import given

from bot.data.compare import compare
from bot.data.compared import compared_of, for_environment, merge, needed
from bot.limits import MAX_FACTS
from bot.model.expectations import Expectation
from bot.model.receipt import Receipt
from tests.support.receipts import pipeline, receipt_of, receipts, resource


def test_a_run_of_some_pipelines_replaces_those_and_leaves_the_others() -> None:
    before = receipt_of(pipeline("./a", resource("one", 1)), pipeline("./b", resource("two", 2)))
    run = receipt_of(pipeline("./c", resource("three", 3)), pipeline("./a", resource("one", 10)))
    merged = merge(before, run)
    assert [(found.id, found.resources[0].rows) for found in merged.pipelines] == [("./a", 10), ("./b", 2), ("./c", 3)]


def test_a_pipeline_that_failed_leaves_what_it_made_before() -> None:
    before = receipt_of(pipeline("./a", resource("one", 1)))
    failed = pipeline("./a") | {"status": "failed"}
    run = receipt_of(failed, pipeline("./b") | {"status": "stopped"}, status="failed")
    assert merge(before, run).pipelines == before.pipelines


def test_what_is_compared_has_rows_and_columns() -> None:
    found = compared_of(receipt_of(pipeline("./a", resource("one", 1, "id:integer name"))), "staging", 3)
    assert found.model_dump(mode="json") == {
        "environment": "staging",
        "deployment": 3,
        "resources": [
            {
                "pipeline": "./a",
                "name": "one",
                "rows": 1,
                "fields": [{"name": "id", "type": "integer"}, {"name": "name", "type": "string"}],
            }
        ],
    }


# One test for both properties, as to make a receipt takes ten times as long as what is done with it.
@given(receipts(), receipts())
def test_a_run_replaces_what_its_pipelines_made_and_compares_the_same_with_what_stands_for_a_receipt(
    before: Receipt, run: Receipt
) -> None:
    merged = merge(before, run)
    made = {found.id: found for found in run.pipelines}
    assert {found.id: found for found in merged.pipelines} == {found.id: found for found in before.pipelines} | made
    assert merge(merged, run) == merged
    full, short = compare(before, run), compare(compared_of(before, "staging"), run)
    left_out = {"is_same": False, "nulls": ()}
    assert short.resources == tuple(found.model_copy(update=left_out) for found in full.resources)
    assert short.rows_before == full.rows_before


def _expect(**given: object) -> Expectation:
    return Expectation.model_validate(given)


def test_values_hold_no_more_than_what_is_compared() -> None:
    names = ["committees", "zones", "members"]
    staging = compared_of(receipt_of(pipeline("./a", *(resource(name, 1, "id name") for name in names))), "staging", 3)
    expect = [
        _expect(resource="z*", columns="keep", comparedWith="staging"),
        _expect(resource="[mz]*", maxDropPercent=1, comparedWith="staging"),
        _expect(resource="committees", maxDropPercent=1),
        _expect(columns="keep", comparedWith="nowhere"),
    ]
    (found,) = needed(expect, {"staging": staging, "live": staging})
    assert (found.environment, found.deployment) == ("staging", 3)
    assert [(one.name, len(one.fields)) for one in found.resources] == [("zones", 2), ("members", 0)]


def test_what_stands_for_resources_that_are_not_listed_stays() -> None:
    many = receipt_of(pipeline("./a", *(resource(f"t{number}", 1) for number in range(MAX_FACTS + 7))))
    expect = [_expect(resource="t1", columns="keep", comparedWith="staging")]
    (found,) = needed(expect, {"staging": compared_of(many, "staging")})
    assert [one.name for one in found.resources] == ["t1", "7 more"]


def test_an_environment_that_is_compared_with_itself_is_compared_with_its_past() -> None:
    expect = [_expect(columns="keep", comparedWith="staging", line=3), _expect(minRows=1)]
    assert [found.compared_with for found in for_environment(expect, "staging")] == [None, None]
    assert list(for_environment(expect, "production")) == expect
