"""The worker by itself, as docs/architecture.md tells."""

import urllib.error
import urllib.request
from pathlib import Path

import pytest

from cluster.local.workers.dpp_environment import DppEnvironment
from tests.support.docs.shell import Shell
from tests.support.environment import REPOSITORY
from tests.support.workloads import write_files

SPEC = "good: {pipeline: [{run: update_package, parameters: {name: good}}]}\n"


def test_the_worker_by_itself(shell: Shell, runtime: DppEnvironment, tmp_path: Path) -> None:
    zipapp = {"worker.pyz": str(tmp_path / "worker.pyz")}
    shell.folder = REPOSITORY
    shell.types("python -m worker.zipapp_builder worker.pyz", zipapp)
    shell.environment["PATH"] += f":{runtime.bin}"
    shell.folder = write_files(tmp_path / "workload", {"pipeline-spec.yaml": SPEC})
    said = shell.types("python worker.pyz run all", zipapp)
    assert said.endswith("./good: SUCCESS, processed 0 rows\n")
    write_files(tmp_path, {"token": "s3cret\n"})
    where = zipapp | {"FILE": str(tmp_path / "token")}
    found = shell.starts(
        "python worker.pyz serve --token-file FILE", where, until=r"127\.0\.0\.1:\d+", more="--listen 127.0.0.1:0"
    )
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(f"http://{found[0]}/run", b"{}", timeout=10)
