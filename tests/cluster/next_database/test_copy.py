"""The chart's script that copies the current database for a run, with PostgreSQL's own programs."""

import os
import signal
import subprocess
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from cluster.local.databases import postgres
from tests.support.charts.rendering import CHART
from tests.support.next_database import EnvironmentDatabase
from tests.support.waiting import eventually

SCRIPT = (CHART / "files" / "copy_database.sh").read_text()


def copying(database: EnvironmentDatabase, scratch: Path, run: str = "two") -> subprocess.Popen[str]:
    """Start it as the chart's container does; its /tmp is `scratch`."""
    found = conninfo_to_dict(database.url)
    environment = {
        "PATH": f"{postgres.binaries()}:{os.defpath}",
        "PGHOST": str(found["host"]),
        "PGPORT": str(found["port"]),
        "PGUSER": str(found["user"]),
        "PGPASSWORD": str(found["password"]),
        "PGDATABASE": "pipelines",
        "PGAPPNAME": f"dppctl run {run}",
        "DPPCTL_RUN": run,
        "DPPCTL_NEXT": "pipelines_next",
        "DPPCTL_KEPT": str(scratch / "kept.json"),
        "DPPCTL_BESIDE": "postgres",
    }
    script = SCRIPT.replace("/tmp/", f"{scratch}/")
    return subprocess.Popen(
        ["sh", "-c", script],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def test_the_copy_has_all_that_is_current_and_the_turn_goes_on(database: EnvironmentDatabase, tmp_path: Path) -> None:
    database.deploy("one", 1, 2)
    database.sql("CREATE VIEW doubled AS SELECT number * 2 AS number FROM numbers; CREATE TYPE mood AS ENUM ('fine')")
    database.begin("two")
    before = database.observe().by_name["pipelines_next"].claim
    done = copying(database, tmp_path)
    out, _ = done.communicate()
    assert done.returncode == 0, out
    assert out.startswith("copied database pipelines in ")
    assert database.numbers("pipelines_next") == [1, 2]
    assert database.sql("SELECT * FROM doubled ORDER BY 1", "pipelines_next") == [(2,), (4,)]
    claim = database.observe().by_name["pipelines_next"].claim
    assert before
    assert claim
    assert (claim.run, claim.until >= before.until) == ("two", True)
    database.sql("INSERT INTO numbers VALUES (3)", "pipelines_next")
    assert database.numbers() == [1, 2]
    database.switch("two")
    assert database.numbers() == [1, 2, 3]


def test_what_cannot_be_copied_is_told_and_frees_the_turn(database: EnvironmentDatabase, tmp_path: Path) -> None:
    database.deploy("one", 1)
    database.begin("two")
    database.sql("CREATE TABLE numbers (other text)", "pipelines_next")
    done = copying(database, tmp_path)
    out, _ = done.communicate()
    assert done.returncode == 1
    assert "could not be copied, so nothing ran; it stays as it was" in out
    assert database.begin("three") == []
    assert database.numbers() == [1]


def test_a_copying_that_is_ended_frees_the_turn_at_once(database: EnvironmentDatabase, tmp_path: Path) -> None:
    database.deploy("one", 1)
    database.begin("two")
    with database.session() as beside:
        beside.execute("BEGIN; LOCK TABLE numbers IN ACCESS EXCLUSIVE MODE")  # pg_dump waits for it
        started = copying(database, tmp_path)
        eventually(lambda: "two" in database.observe().alive, "pg_dump has its session")
        started.send_signal(signal.SIGTERM)
        started.communicate()
    assert started.returncode == 143
    assert database.begin("three") == []
    assert database.numbers() == [1]


def test_the_turn_of_another_run_is_left(database: EnvironmentDatabase, tmp_path: Path) -> None:
    database.deploy("one", 1)
    database.begin("two")
    before = database.observe().by_name["pipelines_next"].comment
    done = copying(database, tmp_path, "other")
    done.communicate()
    assert database.observe().by_name["pipelines_next"].comment == before


@pytest.mark.parametrize("step", range(4))
def test_killed_at_any_time_a_second_try_ends_well(database: EnvironmentDatabase, tmp_path: Path, step: int) -> None:
    database.deploy("one", *range(1000))
    database.begin("two")
    started = copying(database, tmp_path)
    try:
        started.wait(0.1 * step)
    except subprocess.TimeoutExpired:
        os.killpg(started.pid, signal.SIGKILL)
    started.communicate()
    assert database.numbers() == list(range(1000))
    database.give_back("two")
    database.begin("three")
    again = copying(database, tmp_path, "three")
    out, _ = again.communicate()
    assert again.returncode == 0, out
    database.switch("three")
    assert database.numbers() == list(range(1000))
