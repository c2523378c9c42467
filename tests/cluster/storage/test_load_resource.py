"""Real pipelines read what is published."""

import json
from pathlib import Path

import pytest

from tests.support.command import Dppctl
from tests.support.storage_servers import of_environments
from tests.support.workloads import write_files

ROWS = "number,name\r\n" + "".join(f"{number},שם\r\n" for number in range(500))  # enough to be compressed
SCHEMA = {"fields": [{"name": "number", "type": "integer"}, {"name": "name", "type": "string"}]}
RESOURCE = {"name": "all", "path": "data/all.csv", "format": "csv", "encoding": "utf-8", "schema": SCHEMA}
PACKAGE = {"name": "committees", "profile": "data-package", "resources": [RESOURCE]}


@pytest.mark.slow
@pytest.mark.needs("dpp")
def test_load_resource_reads_a_package_that_is_served(dppctl: Dppctl, tmp_path: Path) -> None:
    files = {"committees/datapackage.json": json.dumps(PACKAGE), "committees/data/all.csv": ROWS}
    with of_environments(tmp_path / "up", write_files(tmp_path / "published", files)) as storage:
        load = {"url": f"{storage.url}committees/datapackage.json", "resource": "all"}
        steps = [
            {"run": "load_resource", "parameters": load},
            {"run": "dump.to_path", "parameters": {"out-path": "data/again"}},
        ]
        spec = json.dumps({"again": {"pipeline": steps}})
        workload = write_files(tmp_path / "workload", {"pipeline-spec.yaml": spec})
        done = dppctl("run", "all", cwd=workload)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "./again: SUCCESS, processed 500 rows" in done.stdout
    assert "499,שם" in (workload / "data/again/data/all.csv").read_text()
