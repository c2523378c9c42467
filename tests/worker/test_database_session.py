"""The session that tells other runs on a cluster that this one is alive."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.support.databases import postgres_server as postgres_server
from tests.support.needs import needs
from tests.support.next_database import EnvironmentDatabase, environment_database
from tests.support.waiting import eventually
from worker.database_session import DatabaseSession, session_of


@pytest.fixture
@needs("PostgreSQL")
def database(postgres_server: str) -> Iterator[EnvironmentDatabase]:
    """Give the databases of an environment, of which a run named `one` has its turn."""
    with environment_database(postgres_server) as made:
        made.begin("one")
        yield made


def started(database: EnvironmentDatabase, run: str = "one") -> DatabaseSession:
    session = DatabaseSession(f"{database.url}_next", run)
    session.start()
    eventually(lambda: run in database.observe().alive, "the session is there")
    return session


def until(database: EnvironmentDatabase) -> float | None:
    claim = database.observe().by_name["pipelines_next"].claim
    return claim.until if claim else None


def test_a_run_that_goes_on_keeps_its_turn_and_another_loses_it(database: EnvironmentDatabase) -> None:
    before = until(database)
    session = started(database)
    session.close(goes_on=True)
    after = until(database)
    assert before is not None
    assert after is not None
    assert after > before
    assert "one" not in database.observe().alive
    started(database).close(goes_on=False)
    assert until(database) is None


def test_the_turn_of_another_run_stays(database: EnvironmentDatabase) -> None:
    before = until(database)
    started(database, "it's two").close(goes_on=False)
    assert until(database) == before


@pytest.mark.parametrize("method", ["md5", "password", "trust", "scram-sha-256"])
def test_it_answers_to_every_way_that_postgresql_asks_for_a_password(
    database: EnvironmentDatabase, method: str
) -> None:
    (((file,),), ((port,),)) = (database.sql("SHOW hba_file"), database.sql("SHOW port"))
    assert port
    kept = "md5" if method == "md5" else "scram-sha-256"
    database.sql(f"SET password_encryption = '{kept}'; CREATE ROLE ann SUPERUSER LOGIN PASSWORD 'h:u%sh'")
    rules = [line for line in Path(file).read_text().splitlines() if " ann " not in line]
    Path(file).write_text("\n".join([f"host all ann all {method}", *rules, ""]))
    before = database.sql("SELECT pg_conf_load_time(), pg_reload_conf()")[0][0]
    eventually(lambda: database.sql("SELECT pg_conf_load_time()")[0][0] != before, "the server has read it")
    end = database.url.rpartition("@")[2]
    session = DatabaseSession(f"postgresql://ann:h%3Au%25sh@{end}_next", "one")
    session.start()
    eventually(lambda: "one" in database.observe().alive, "the session is there")
    session.close(goes_on=False)
    assert until(database) is None


def test_a_session_that_is_lost_is_made_again(
    database: EnvironmentDatabase, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("worker.database_session.DATABASE_TRY_SECONDS", 0.01)
    session = started(database)
    database.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'dppctl run one'")
    eventually(lambda: "the server ended it" in capsys.readouterr().err, "it was told")
    eventually(lambda: "one" in database.observe().alive, "the session is there again")
    session.close(goes_on=False)
    assert until(database) is None


def test_a_server_that_refuses_it_is_told_once_and_holds_up_nothing(
    database: EnvironmentDatabase, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("worker.database_session.DATABASE_TRY_SECONDS", 0.01)
    password = psycopg.conninfo.conninfo_to_dict(database.url)["password"]
    session = DatabaseSession(database.url.replace(str(password), "wrong"), "one")
    session.start()
    told: list[str] = []
    eventually(lambda: told.append(capsys.readouterr().err) or "authentication failed" in "".join(told), "it was told")
    session.close(goes_on=True)
    assert "".join(told).count("authentication failed") == 1


def test_its_variables_are_not_the_pipelines() -> None:
    environment = {"DPPCTL_RUN": "one", "DPPCTL_RUN_DATABASE": "postgresql://ann:hush@db/x_next", "HOME": "/tmp"}
    assert session_of(environment) is not None
    assert environment == {"HOME": "/tmp"}
    assert session_of(environment) is None
