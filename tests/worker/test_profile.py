"""The receipt says what a resource's columns hold, and whether they are unique, whoever runs the pipeline."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from cluster.local.workers.dpp_environment import DppEnvironment
from tests.support.worker import Worker
from tests.support.workloads import write_files

UNIQUE = [
    {"resource": "m*", "columns": ["id"]},
    {"columns": ["id", "name"]},
    {"columns": ["size"]},
    {"resource": "no", "columns": ["name"]},
]
TYPES = {
    "id": {"type": "integer"},
    "paid": {"type": "number"},
    "born": {"type": "date"},
    "seen": {"type": "datetime", "format": "%Y-%m-%d %H:%M:%S"},
}
FROM = {"from": "members.csv", "name": "members", "infer_strategy": "strings", "cast_strategy": "strings"}
STEPS = [{"run": "load", "parameters": FROM}, {"run": "set_types", "parameters": {"types": TYPES}}]
SPEC = {"in-a-lane": {"pipeline": STEPS}, "with-a-step-of-its-own": {"pipeline": [*STEPS, {"run": "as_it_is"}]}}
FILES = {
    "members.csv": "id,name,paid,born,seen\n1,Ada,2.50,1815-12-10,\n1,,-3,,2020-01-31 10:00:07\n2,Zoë,,1999-01-01,\n",
    "pipeline-spec.yaml": json.dumps(SPEC),
    "as_it_is.py": "from datapackage_pipelines.wrapper import process\nprocess()\n",
}
FIELDS = [
    {"name": "id", "type": "integer", "nulls": 0, "least": "1", "greatest": "2"},
    {"name": "name", "type": "string", "nulls": 0},
    {"name": "paid", "type": "number", "nulls": 1, "least": "-3", "greatest": "2.5"},
    {"name": "born", "type": "date", "nulls": 1, "least": "1815-12-10", "greatest": "1999-01-01"},
    {"name": "seen", "type": "datetime", "nulls": 2, "least": "2020-01-31T10:00:07", "greatest": "2020-01-31T10:00:07"},
]


@pytest.mark.parametrize("runner", ["auto", "dpp"])
def test_columns_are_described_and_checked_for_duplicates(
    zipapp: Path, runtime: DppEnvironment, tmp_path: Path, runner: str
) -> None:
    results = run(zipapp, runtime, tmp_path, ["--runner", runner, *(f"--unique={json.dumps(each)}" for each in UNIQUE)])
    assert all(result["runner"].startswith("dpp:") == (runner == "dpp") for result in results.values())
    for result in results.values():
        assert result["error"] is None
        [members] = result["resources"]
        assert members["fields"] == FIELDS
        assert members["unique"] == [
            {"columns": ["id"], "duplicates": 1},
            {"columns": ["id", "name"], "duplicates": 0},
            {"columns": ["size"], "duplicates": None, "note": "not checked: there is no column size"},
        ]


def run(zipapp: Path, runtime: DppEnvironment, folder: Path, options: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Run the pipelines and return their results."""
    (folder / "scratch").mkdir()
    outcome = Worker(zipapp, runtime, folder / "scratch").run(write_files(folder / "workload", FILES), options)
    return outcome.results
