"""Databases that a run can have, and refusals in one clear line."""

import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from cluster.errors import ClusterError
from cluster.local.databases import database, postgres, try_engine
from tests.support.sessions import StartRun

PYTHON = Path(sys.executable)


def check(url: str, tmp_path: Path) -> None:
    database.check_database(database.parse_database(url), PYTHON, tmp_path)


@pytest.mark.parametrize("text", ["postgre", "mysql", "", "sqlite ", "data.sqlite", "http:/x"])
def test_an_unknown_word_is_refused_with_the_choices(text: str) -> None:
    with pytest.raises(ClusterError, match="is no database; choose sqlite, postgres or a SQLAlchemy URL like"):
        database.parse_database(text)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:hush/hush@host/db",
        "postgresql://me:hush@host:port/db",
        "postgresql://me:hu sh@host/db",
        "postgresql:me:hush@host",
        "postgresql://me:hush@[::1/db",
    ],
)
def test_a_malformed_url_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ClusterError) as refusal:
        database.parse_database(url)
    assert "hu" not in str(refusal.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:hush@host/db", "postgresql://me:***@host/db"),
        ("postgresql://me:hu@sh@host/db", "postgresql://me:***@host/db"),
        ("postgresql://:hush@host", "postgresql://:***@host"),
        ("postgresql://host/db?user=me&password=hush#x", "postgresql://host/db?user=me&password=***#x"),
        ("postgresql://me@host/db", "postgresql://me@host/db"),
        ("sqlite:////folder/data.sqlite", "sqlite:////folder/data.sqlite"),
    ],
)
def test_a_password_is_never_printed(url: str, shown: str) -> None:
    assert database.masked(url) == shown


def test_a_database_that_answers_is_accepted(tmp_path: Path) -> None:
    check(f"sqlite:///{tmp_path}/data.sqlite", tmp_path)


def test_a_server_that_is_not_there_is_refused_without_the_password(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(ClusterError, match=r"postgresql://me:\*\*\*@127.*refuses: .*Connection refused") as refusal:
        check(f"postgresql://me:hushhush@127.0.0.1:{port}/db", tmp_path)
    assert "hushhush" not in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_server_that_never_answers_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "DATABASE_CONNECT_SECONDS", 2.0)
    silent = socket.create_server(("127.0.0.1", 0))
    with silent, pytest.raises(ClusterError, match="refuses: no answer within 2 s"):
        check(f"postgresql://me@127.0.0.1:{silent.getsockname()[1]}/db", tmp_path)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("nonsense://host/db", "'nonsense' is no kind of database that SQLAlchemy knows"),
        ("mysql://me@host/db", "its driver is not installed .*requirements.txt"),
        ("sqlite://", "a database in memory ends with each processor"),
        ("sqlite:////nowhere/data.sqlite", "unable to open database file"),
    ],
)
def test_a_database_that_cannot_be_used_is_refused_with_the_reason(url: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match=reason):
        check(url, tmp_path)


def test_a_new_sqlite_file_lets_one_read_while_another_writes(data: Path) -> None:
    file = database.create_sqlite("dppctl-db-x")
    assert file == data / "databases" / "dppctl-db-x.sqlite"
    assert file.stat().st_mode & 0o777 == 0o600
    writer, reader = sqlite3.connect(file), sqlite3.connect(file)
    writer.execute("CREATE TABLE t (x)")
    writer.execute("BEGIN IMMEDIATE")
    assert reader.execute("SELECT count(*) FROM t").fetchone() == (0,)
    writer.close()
    reader.close()


def test_a_sqlite_file_that_cannot_be_made_is_named(data: Path) -> None:
    data.mkdir()
    (data / "databases").touch()
    with pytest.raises(ClusterError, match=r"cannot make the database .*/databases/x.sqlite: "):
        database.create_sqlite("x")


def test_sqlite_does_without_sqlalchemy() -> None:
    modules = "databases.database", "sessions.supervisor", "sessions.supervisor_process", "storage.publish"
    imports = "; ".join(f"import cluster.local.{module}" for module in modules)
    program = f"import sys; {imports}; print('sqlalchemy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.needs("PostgreSQL")
def test_a_private_server_refuses_another_password(start_run: StartRun, tmp_path: Path) -> None:
    _, _, kept = start_run("postgres")
    check(kept.database.engine, tmp_path)
    assert try_engine.answers(kept.database.engine)
    assert not try_engine.answers(kept.database.engine.replace(kept.database.password, "wrong"))
    with pytest.raises(ClusterError, match=r'refuses: .*password authentication failed for user "postgres"'):
        check(kept.database.engine.replace(kept.database.password, "wrong"), tmp_path)


def test_postgres_without_its_binaries_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(postgres, "_FOLDERS", ())
    with pytest.raises(ClusterError, match=r"no PostgreSQL server is installed here \(initdb\): install it, or use"):
        database.parse_database("postgres")


@pytest.mark.needs("PostgreSQL")
def test_a_folder_that_postgresql_cannot_use_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "file").touch()
    tmp_path.chmod(0o755)
    with pytest.raises(ClusterError, match=r"PostgreSQL cannot be set up in .*: initdb: error: "):
        postgres.start(tmp_path)


def test_the_newest_of_several_servers_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for version in ("9", "15", "16"):
        (tmp_path / version / "bin").mkdir(parents=True)
        (tmp_path / version / "bin" / "initdb").touch()
    (tmp_path / "16" / "bin" / "initdb").unlink()
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(postgres, "_FOLDERS", (f"{tmp_path}/*/bin",))
    assert postgres.binaries() == tmp_path / "15" / "bin"
