"""What docs/run.md says of running pipelines, and what examples/tz-data says of its database."""

import json
import re
import shutil
import sqlite3
from pathlib import Path

import pytest

from cluster.local.workers.dpp_environment import DppEnvironment
from tests.support.docs.pages import block_from, said_after
from tests.support.docs.shell import Shell, is_like
from tests.support.environment import REPOSITORY

pytestmark = pytest.mark.slow

PAGE = "docs/run.md"


@pytest.mark.needs("sqlite3", "PostgreSQL", "pg_dump")
def test_running_pipelines(shell: Shell, runtime: DppEnvironment, tmp_path: Path) -> None:
    shutil.copytree(REPOSITORY / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns("data", ".*"))
    shell.folder = tmp_path
    shell.types("cd examples/tz-data")

    # A run into SQLite, whose database stays and is looked into.
    said = shell.types("dppctl run ./countries-to-db")
    is_like(said_after(PAGE, "dppctl run ./countries-to-db"), said)
    worker, db = (re.findall(rf"Assigned {kind} Pod: (\S+)", said)[0] for kind in ("Worker", "DB"))
    assert {pod["name"] for pod in json.loads(shell.types("dppctl list pods"))} == {worker, db}
    in_worker = shell.types("dppctl ssh NAME", {"NAME": worker}, given="command -v dpp; echo $DPP_DB_ENGINE\n")
    assert in_worker.startswith(f"{runtime.bin}/dpp\nsqlite:///{_file(said)}")
    in_db = shell.types("dppctl ssh NAME", {"NAME": db}, given="select count(*) from countries;\n")
    assert in_db == "249\n"
    shell.types("dppctl stop NAME", {"NAME": db})
    assert [pod["name"] for pod in json.loads(shell.types("dppctl list pods"))] == [worker]

    # A private PostgreSQL, and a backup of it.
    said = shell.types("dppctl run ./zones-to-db --db postgres")
    server, password = re.findall(r"Server: (\S+), Username: postgres, Password: (\S+)", said)[0]
    place = f"postgres:{password}@{server}/postgres"
    shell.types("pg_dump postgresql://USER@HOST/NAME > backup.sql", {"USER@HOST/NAME": place})
    assert "CREATE TABLE public.zones" in (shell.folder / "backup.sql").read_text()

    # The rest of the table of options.
    options = "--concurrency 2 --env NAME=VALUE --keep 30m --verbose"
    said = shell.types(
        "dppctl run ./a ./b", {"./a ./b": "./libraries ./parks"}, more=f"--workload ../source-spec {options}"
    )
    assert "./libraries: SUCCESS, processed 2 rows" in said
    said = shell.types("dppctl run all", more=f"--workload ../failing --db postgresql://{place} --keep 0", code=1)
    assert "./check-budget: FAILURE" in said

    # The same by dpp itself.
    shell.environment["PATH"] = f"{runtime.bin}:{shell.environment['PATH']}"
    shell.types("DPP_DB_ENGINE=sqlite:///tz.db dpp run all")
    with sqlite3.connect(shell.folder / "tz.db") as connection:
        assert connection.execute("SELECT count(*) FROM countries").fetchone()[0] == 249


def test_a_mistake_in_a_spec_is_said_as_the_page_shows(shell: Shell, tmp_path: Path) -> None:
    (said,) = block_from(PAGE, "dppctl: pipeline-spec.yaml").splitlines()
    (tmp_path / "pipeline-spec.yaml").write_text("#\n" * 12 + "render:\n  pipline: []\n")
    shell.folder = tmp_path
    shell.types("dppctl run", code=2)
    assert shell.complaints == f"{said}\n"


def _file(said: str) -> str:
    return re.findall(r"File: (\S+)", said)[0]
