"""What is kept after a run, for how long, and that nothing stays behind."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from cluster.errors import ClusterError
from cluster.local import processes
from cluster.local.databases import postgres
from cluster.local.sessions import record, supervisor
from cluster.local.sessions.record import Session
from tests.support.sessions import StartRun
from tests.support.waiting import BUSY, eventually

pytestmark = pytest.mark.slow


RUN_THAT_HANGS = """
import json, sys, time
from cluster.local.sessions import supervisor, record
worker, db = record.create("worker"), record.create("db")
kept = supervisor.start(worker, sys.argv[1], db, float(sys.argv[2]))
print(json.dumps([worker.name, db.name]), flush=True)
time.sleep(600)
"""


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def names() -> list[str]:
    return [pod.name for pod in record.all_sessions()]


def kept_pod(pod: Session) -> Session:
    known = record.read(pod.name)
    assert known
    return known


def test_datasette_shows_what_a_run_wrote(start_run: StartRun) -> None:
    _, _, kept = start_run()
    assert kept.database.file
    with sqlite3.connect(kept.database.file) as connection:
        connection.execute("CREATE TABLE zones (name TEXT)")
        connection.execute("INSERT INTO zones VALUES ('Asia/Jerusalem')")
    connection.close()
    assert kept.database.web_ui
    status, page = get(kept.database.web_ui + "/zones.json?_shape=array")
    assert (status, json.loads(page)[0]["name"]) == (200, "Asia/Jerusalem")
    assert "zones" in get(kept.database.web_ui)[1]


def test_a_supervisor_imports_nothing_that_takes_time() -> None:
    slow = ("click", "ctypes", "datasette", "http.server", "pydantic", "sqlalchemy", "sqlite3", "urllib.request")
    module = "cluster.local.sessions.supervisor_process"
    program = f"import sys, {module}; print([name for name in {slow} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_pods_are_available_after_the_run_and_gone_after_the_keep_time(start_run: StartRun) -> None:
    worker, db, kept = start_run(keep=1)
    assert kept.database.file
    with closing(sqlite3.connect(kept.database.file)) as connection:
        connection.execute("CREATE TABLE zones (name TEXT)")
    assert [pod.status for pod in record.all_sessions()] == ["assigned", "assigned"]
    kept.release()
    assert [pod.status for pod in record.all_sessions()] == ["available", "available"]
    eventually(lambda: not worker.folder.exists() and not db.folder.exists(), "the pods are gone")
    assert names() == []
    assert kept.database.file.exists()
    assert not list(kept.database.file.parent.glob("*-wal")), "one file is left to the user"


def test_without_a_keep_time_all_has_ended_when_the_run_returns(start_run: StartRun) -> None:
    _, _, kept = start_run(keep=0)
    kept.release()
    assert names() == []


def test_what_is_discarded_is_gone_at_once(start_run: StartRun) -> None:
    _, _, kept = start_run(keep=3600)
    kept.discard()
    assert names() == []
    assert kept.database.file
    assert not kept.database.file.exists()


def test_a_database_that_was_touched_stays_also_when_it_is_empty_again(start_run: StartRun) -> None:
    _, _, kept = start_run(keep=0)
    assert kept.database.file
    with closing(sqlite3.connect(kept.database.file)) as connection:
        connection.executescript("CREATE TABLE zones (name TEXT); DROP TABLE zones;")
    kept.release()
    assert kept.database.file.exists()


def test_releasing_twice_is_releasing_once(start_run: StartRun) -> None:
    _, _, kept = start_run()
    kept.release()
    kept.release()
    assert len(names()) == 2


def test_the_pods_of_a_killed_command_are_kept_and_then_go_away(data: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", RUN_THAT_HANGS, "sqlite", "1"],
        stdout=subprocess.PIPE,
        env=os.environ | {"DPPCTL_DATA_DIR": str(data)},
    ) as command:
        assert command.stdout
        mine = json.loads(command.stdout.readline())
        assert set(names()) == set(mine)
        command.kill()
    eventually(lambda: all(pod.status == "available" for pod in record.all_sessions()), "the supervisor takes over")
    eventually(lambda: not names(), "the pods are gone")


@pytest.mark.needs("PostgreSQL")
def test_the_supervisor_ends_on_a_signal_with_all_it_started(start_run: StartRun) -> None:
    _, db, _ = start_run("postgres")
    began = time.monotonic()
    processes.send(db.supervisor, signal.SIGTERM)
    assert processes.ended(db.supervisor, 2 * BUSY)
    assert time.monotonic() - began < 2 * BUSY
    assert not any(processes.alive(child) for child in db.children)
    assert not Path(db.scratch).exists()
    assert names() == []


@pytest.mark.skipif(sys.platform != "linux", reason="a child learns of its parent's death on Linux only")
@pytest.mark.needs("PostgreSQL")
def test_a_supervisor_that_is_killed_leaves_no_server_and_no_data_behind(start_run: StartRun) -> None:
    _, db, kept = start_run("postgres")
    kept.release()
    assert db.children
    processes.send(db.supervisor, signal.SIGKILL)
    for child in db.children:
        assert processes.ended(child, 5 * BUSY)
    assert names() == []
    assert not Path(db.scratch).exists()


def test_stopping_the_worker_leaves_the_database(start_run: StartRun) -> None:
    worker, db, kept = start_run()
    kept.release()
    record.stop(kept_pod(worker))
    assert names() == [db.name]
    assert kept.database.web_ui
    assert get(kept.database.web_ui)[0] == 200
    record.stop(kept_pod(db))
    assert names() == []
    assert processes.ended(db.supervisor, 2 * BUSY)


def test_stopping_a_running_pod_stops_its_pipelines(start_run: StartRun) -> None:
    worker, _, _ = start_run()
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as pipelines:
        worker.update(worker=processes.identity(pipelines.pid))
        record.stop(worker)
        assert pipelines.wait(60) == -signal.SIGTERM
    assert worker.name not in names()


def test_stopping_works_when_the_supervisor_hangs(start_run: StartRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "SESSION_END_SECONDS", 0.3)
    worker, db, kept = start_run()
    kept.release()
    processes.send(db.supervisor, signal.SIGSTOP)
    record.stop(kept_pod(db))
    assert db.name not in names()
    assert not processes.alive(db.supervisor)
    assert worker.name not in names()


@pytest.mark.needs("PostgreSQL")
def test_a_private_server_keeps_its_password_to_itself(start_run: StartRun) -> None:
    _, db, kept = start_run("postgres")
    database = kept.database
    with psycopg.connect(database.engine) as connection:
        assert connection.execute("SELECT lower('ÄŽ'), current_setting('server_encoding')").fetchone() == ("äž", "UTF8")
    assert not kept_pod(db).folder.stat().st_mode & 0o077
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            said = (folder / "cmdline").read_bytes() + (
                b"" if int(folder.name) == os.getpid() else (folder / "environ").read_bytes()
            )
        except OSError:
            continue
        assert database.password.encode() not in said
    with pytest.raises(psycopg.OperationalError, match="no password supplied"):
        psycopg.connect(f"postgresql://postgres@{database.server}/postgres")


@pytest.mark.needs("PostgreSQL", "ss")
def test_a_private_server_listens_on_this_machine_only(start_run: StartRun) -> None:
    _, _, kept = start_run("postgres")
    port = kept.database.server.partition(":")[2]
    listening = subprocess.run(["ss", "-Hltn", f"sport = :{port}"], capture_output=True, text=True, check=True).stdout
    assert [line.split()[3] for line in listening.splitlines()] == [f"127.0.0.1:{port}"]


@pytest.mark.needs("PostgreSQL", "psql")
def test_the_printed_psql_command_opens_the_database(start_run: StartRun) -> None:
    _, _, kept = start_run("postgres")
    done = subprocess.run(f"{kept.database.client} -Atc 'SELECT 6 * 7'", shell=True, capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("42", "")


@pytest.mark.needs("PostgreSQL", "Adminer")
def test_adminer_asks_for_the_password_only(start_run: StartRun) -> None:
    _, _, kept = start_run("postgres")
    assert kept.database.web_ui
    page = get(kept.database.web_ui)[1]
    assert f'value="{kept.database.server}"' in page
    assert 'value="postgres"' in page
    assert kept.database.password not in page
    assert kept.database.describe()[0] == f"DB Web UI is available at {kept.database.web_ui}"


@pytest.mark.needs("PostgreSQL")
def test_without_adminer_the_psql_command_is_told(start_run: StartRun, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = postgres.binaries()
    monkeypatch.setenv("PATH", str(folder))
    _, _, kept = start_run("postgres")
    assert kept.database.web_ui is None
    assert kept.database.describe()[0] == f"Open the DB with: {kept.database.client}"


@pytest.mark.needs("PostgreSQL")
def test_a_pod_whose_server_dies_goes_away(start_run: StartRun) -> None:
    worker, db, kept = start_run("postgres")
    kept.release()
    processes.send(db.children[0], signal.SIGQUIT)
    eventually(lambda: names() == [worker.name], "the supervisor sees that the server has ended")


def test_a_database_that_cannot_be_made_leaves_no_pod(data: Path) -> None:
    data.mkdir()
    (data / "databases").touch()
    worker, db = record.create("worker"), record.create("db")
    with pytest.raises(ClusterError, match="cannot make the database"):
        supervisor.start(worker, "sqlite", db, 60)
    assert not worker.folder.exists()
    assert not db.folder.exists()


def test_a_server_that_cannot_start_leaves_no_pod_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    worker, db = record.create("worker"), record.create("db")
    scratch = postgres.scratch(db.folder)  # a folder that the server's user can enter
    for name in ("initdb", "postgres"):
        (scratch / name).write_text("#!/bin/sh\necho 'initdb: error: no space left' >&2\nexit 1\n")
        (scratch / name).chmod(0o755)
    try:
        monkeypatch.setenv("PATH", f"{scratch}{os.pathsep}{os.environ['PATH']}")
        with pytest.raises(ClusterError, match=r"PostgreSQL cannot be set up in .*: initdb: error: no space left"):
            supervisor.start(worker, "postgres", record.create("db"), 60)
    finally:
        db.update(scratch=str(scratch))
        db.remove()
    assert names() == []
    assert not list(scratch.parent.glob(f"{scratch.name}*"))


def test_a_database_with_a_url_has_a_worker_pod_only() -> None:
    worker = record.create("worker")
    kept = supervisor.start(worker, "postgresql://me:hush@host/db", None, 0)
    assert kept.database.engine == "postgresql://me:hush@host/db"
    assert kept.database.describe() == ["DB: postgresql://me:***@host/db"]
    assert names() == [worker.name]
    kept.release()
    assert names() == []


def test_a_module_of_the_user_does_not_get_into_the_keeper(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start_run: StartRun
) -> None:
    for name in ("json", "selectors", "cluster"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('this is not the one')")
    monkeypatch.chdir(tmp_path)
    _, _, kept = start_run()
    assert kept.database.web_ui
    assert get(kept.database.web_ui)[0] == 200
