"""The receipt, and its summary for Kubernetes."""

import json
from pathlib import Path
from typing import Any

import pytest

from worker.limits import SUMMARY_BYTES
from worker.receipt import summary, write_receipt


def receipt(pipelines: int, failed: bool = False) -> dict[str, Any]:
    fields = [{"name": f"field {number}", "type": "string", "nulls": number} for number in range(20)]
    result = {
        "status": "failed" if failed else "succeeded",
        "rows": 90088,
        "bytes": 15566365,
        "hash": "a3d87beee69e1915b884540960271752",
        "seconds": 41.2,
        "stats": {"count_of_rows": 90088},
        "resources": [{"name": "members", "rows": 90088, "fields": fields}],
        "error": "x" * 2000 if failed else None,
    }
    return {
        "status": result["status"],
        "pipelines": [{"id": f"./{number}", **result} for number in range(pipelines)],
    }


def test_summaries_of_all_containers_fit_into_what_a_pod_may_say() -> None:
    """12 KB in equal parts: those of the chart's ten containers, and of one that a service mesh adds."""
    assert SUMMARY_BYTES <= 12 * 1024 // 11


def test_a_short_error_stays_whole_in_a_summary() -> None:
    long = receipt(1, failed=True)
    long["pipelines"][0]["error"] = "rows.py:3: " + "the budget does not add up; " * 20 + "\ndetails" * 500
    [found] = json.loads(summary(long))["pipelines"]
    assert found["error"] == long["pipelines"][0]["error"].partition("\n")[0]


def test_a_small_receipt_is_its_own_summary() -> None:
    assert json.loads(summary(receipt(1), len(json.dumps(receipt(1))))) == receipt(1)


def test_the_profile_of_columns_is_the_first_that_a_summary_leaves_out() -> None:
    whole = receipt(1)
    resource = whole["pipelines"][0]["resources"][0]
    resource["unique"] = [{"columns": ["field 1"], "duplicates": 2}]
    [short] = json.loads(summary(whole, len(json.dumps(whole)) - 1))["pipelines"]
    fields = [{"name": field["name"], "type": "string"} for field in resource["fields"]]
    assert short == {**whole["pipelines"][0], "resources": [{**resource, "fields": fields}]}


@pytest.mark.parametrize(("pipelines", "failed"), [(3, False), (10, True), (150, False), (150, True)])
def test_a_summary_fits_and_keeps_ids_and_statuses(pipelines: int, failed: bool) -> None:
    text = summary(receipt(pipelines, failed))
    short = json.loads(text)
    assert len(text) <= SUMMARY_BYTES
    assert short["status"] == receipt(1, failed)["status"]
    assert len(short["pipelines"]) + short.get("left_out", 0) == pipelines
    assert short["pipelines"][0]["rows"] == 90088


def test_a_receipt_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "receipt.json"
    write_receipt({"status": "succeeded", "pipelines": []}, target)
    with pytest.raises(TypeError):
        write_receipt({"status": object()}, target)
    assert json.loads(target.read_text())["status"] == "succeeded"
