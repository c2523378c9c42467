"""What is compared with later, and the receipt of data that came from several runs."""

from hypothesis import given

from bot.data.compare import compare
from bot.data.compared import compared_of, merge
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


@given(receipts(), receipts())
def test_after_a_run_its_pipelines_have_what_it_made(before: Receipt, run: Receipt) -> None:
    merged = merge(before, run)
    made = {found.id: found for found in run.pipelines}
    assert {found.id: found for found in merged.pipelines} == {found.id: found for found in before.pipelines} | made
    assert merge(merged, run) == merged


@given(receipts(), receipts())
def test_rows_and_columns_compare_the_same_whether_the_receipt_is_there_or_what_stands_for_it(
    before: Receipt, after: Receipt
) -> None:
    full, short = compare(before, after), compare(compared_of(before, "staging"), after)
    left_out = {"is_same": False, "nulls": ()}
    assert short.resources == tuple(found.model_copy(update=left_out) for found in full.resources)
    assert short.rows_before == full.rows_before
