"""The workloads that the runner is measured with: each a function that fills a folder and returns the spec."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.job import ROWS, make_job, table_of

Spec = dict[str, Any]
Make = Callable[[Path, float], Spec]
"""Given a folder and a scale: of the rows, 1 is all of them."""

STEPS_ROWS = 1_000_000
SMALL_PIPELINES = 20
LOAD: Spec = {"run": "load_resource", "parameters": {"url": "data/datapackage.json", "resource": ".*"}}
SQL: Spec = {
    "run": "dump.to_sql",
    "parameters": {
        "engine": "env://DPP_DB_ENGINE",
        "tables": {table_of(name): {"resource-name": name} for name in ROWS},
    },
}
NEW_DUMP: Spec = {"run": "dump_to_path", "parameters": {"out-path": "out"}}
OLD_DUMP: Spec = {"run": "dump.to_path", "parameters": {"out-path": "out"}}
CUSTOM = """\
from datapackage_pipelines.wrapper import ingest, spew

parameters, datapackage, resources = ingest()


def marked(rows):
    for row in rows:
        row["note"] = row["note"] or "none"
        yield row


spew(datapackage, (marked(rows) for rows in resources))
"""


def big(*steps: Spec) -> Make:
    """Return the maker of a job that loads the big job's files and does these steps."""

    def make(folder: Path, scale: float) -> Spec:
        make_job(folder / "data", scale)
        (folder / "mark.py").write_text(CUSTOM)
        return {"job": {"pipeline": [LOAD, *steps]}}

    return make


def million(folder: Path, scale: float) -> Spec:
    """Make the job of six standard steps."""
    rows = round(STEPS_ROWS * scale)
    with (folder / "rows.csv").open("w") as file:
        file.write("id,word,amount\n")
        file.writelines(f"{number},w{number * 7919 % 10007},{number / 4}\n" for number in range(rows))
    types = {"id": {"type": "integer"}, "amount": {"type": "number"}}
    total = {"target": "total", "operation": "sum", "source": ["id", "amount"]}
    return {
        "job": {
            "pipeline": [
                {"run": "load", "parameters": {"from": "rows.csv", "name": "rows"}},
                {"run": "set_types", "parameters": {"types": types}},
                {"run": "add_computed_field", "parameters": {"fields": [total]}},
                {"run": "filter", "parameters": {"out": [{"word": "w1"}]}},
                {"run": "delete_fields", "parameters": {"fields": ["amount"]}},
                NEW_DUMP,
            ]
        }
    }


def small(folder: Path, _scale: float) -> Spec:
    """Make the job of many pipelines of two rows."""
    (folder / "rows.csv").write_text("id,word\n1,a\n2,b\n")
    load = {"run": "load", "parameters": {"from": "rows.csv", "name": "rows"}}
    return {
        f"job-{number}": {"pipeline": [load, {"run": "dump_to_path", "parameters": {"out-path": f"out/{number}"}}]}
        for number in range(SMALL_PIPELINES)
    }


def empty(_folder: Path, _scale: float) -> Spec:
    """Return the spec of a pipeline that does nothing."""
    return {"job": {"pipeline": [{"run": "update_package", "parameters": {"name": "empty"}}]}}
