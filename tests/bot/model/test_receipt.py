"""Receipts, which code of an app may have written: what anybody reads of them stays, and they have a limit."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from bot.limits import MAX_ERROR, MAX_FACTS, MAX_PIPELINES, MAX_RECEIPT_BYTES
from bot.model.receipt import Receipt

pytestmark = pytest.mark.slow

NOW = datetime(2026, 1, 2, tzinfo=UTC).isoformat()


def receipt(*pipelines: dict[str, Any], status: str = "succeeded") -> Receipt:
    whole = {"status": status, "pipelines": list(pipelines), "started": NOW, "ended": NOW}
    return Receipt.model_validate_json(json.dumps(whole))


def pipeline(**more: Any) -> dict[str, Any]:
    return {"id": "./a", "status": "succeeded", **more}


def test_a_long_error_is_shortened_to_its_first_line_and_its_end() -> None:
    found = receipt(
        pipeline(status="failed", error="x.py:3: it broke\n" + "y" * 100_000 + "\nthe end"), status="failed"
    )
    error = found.pipelines[0].error or ""
    assert len(error) <= MAX_ERROR
    assert error.startswith("x.py:3: it broke\n…\n")
    assert error.endswith("\nthe end")


def test_of_many_resources_fields_and_statistics_the_first_are_kept_with_the_number_of_the_others() -> None:
    fields = [{"name": f"f{number}", "type": "string"} for number in range(MAX_FACTS + 5)]
    resources = [{"name": f"r{number}", "rows": number, "fields": fields} for number in range(MAX_FACTS + 7)]
    stats = {f"s{number}": number for number in range(MAX_FACTS + 9)} | {"s0": {"deep": "x" * 10_000}}
    found = receipt(pipeline(resources=resources, stats=stats, rows=12)).pipelines[0]
    assert (found.rows, found.resources[-1].name) == (12, "7 more")
    found = receipt(pipeline(resources=resources[:3], stats=stats)).pipelines[0]
    assert [resource.rows for resource in found.resources] == [0, 1, 2]
    assert found.resources[0].fields[-1].name == "5 more"
    assert (found.stats["s1"], found.stats["…"]) == (1, "9 more")
    assert len(found.stats["s0"]) <= 500


def test_of_too_many_pipelines_those_that_failed_are_kept() -> None:
    good = [pipeline(id=f"./{number}") for number in range(MAX_PIPELINES + 1)]
    found = receipt(*good, pipeline(id="./bad", status="failed", error="no"), status="failed")
    assert found.pipelines[0].id == "./bad"
    assert found.pipelines[-1].id == "2 more"


def test_no_receipt_is_larger_than_its_limit() -> None:
    fields = [{"name": "\U0001f600" * 500, "type": "x" * 500}] * 5
    large = pipeline(
        id="\U0001f600" * 1000, status="failed", error="\U0001f600" * 50_000, hash="h" * 9999,
        resources=[{"name": "r" * 999, "rows": 1, "fields": fields}] * 5, stats={"s": "x" * 999},
    )  # fmt: skip
    found = receipt(*[large] * 300, status="failed")
    assert len(found.model_dump_json().encode()) <= MAX_RECEIPT_BYTES
    assert found.pipelines[0].error


@pytest.mark.parametrize("resources", ["x", [1], [{"rows": "many"}], [{"name": "r", "fields": [3]}]])
def test_what_is_no_receipt_is_refused(resources: object) -> None:
    with pytest.raises(ValidationError):
        receipt(pipeline(resources=resources))


values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(),
    lambda below: st.lists(below) | st.dictionaries(st.text(), below),
    max_leaves=10,
)


@settings(deadline=None)
@given(st.dictionaries(st.text(), values, max_size=5), st.text(max_size=50))
def test_whatever_statistics_say_is_kept_as_json_that_postgresql_stores(stats: dict[str, Any], error: str) -> None:
    found = receipt(pipeline(stats=stats, error=error))
    assert "\0" not in "".join(strings(found.model_dump(mode="json")))
    assert Receipt.model_validate_json(found.model_dump_json()) == found


def strings(value: Any) -> Iterator[str]:
    """Yield all texts in a JSON value, names included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, below in value.items():
            yield name
            yield from strings(below)
    elif isinstance(value, list):
        for below in value:
            yield from strings(below)
