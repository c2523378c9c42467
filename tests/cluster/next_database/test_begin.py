"""Whose turn it is at an environment's database on a cluster."""

import threading

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.limits import DATABASE_DEAD_SECONDS
from cluster.next_database import begin as module
from cluster.next_database.begin import Wait, decide_begin
from cluster.next_database.databases import (
    DatabaseError,
    DatabaseNames,
    FoundDatabase,
    FoundDatabases,
    NextNote,
    server,
)
from tests.support.next_database import EnvironmentDatabase

NAMES = DatabaseNames("pipelines")


def claimed(run: str, until: float) -> dict[str, FoundDatabase]:
    return {NAMES.next: FoundDatabase(2, NextNote(run=run, copied=1, until=until).model_dump_json())}


@given(st.floats(0, 1e9), st.floats(-1e6, 1e6), st.booleans(), st.floats(0, 1e6))
def test_a_run_waits_for_another_as_long_as_that_may_live(now: float, left: float, seen: bool, silent: float) -> None:
    found = FoundDatabases(claimed("other", now + left), frozenset({"other"} if seen else ()), now)
    wait = decide_begin(found, NAMES, "this", silent)
    is_alive = seen or now < now + left
    assert wait == (Wait("other", is_alive) if is_alive or silent < DATABASE_DEAD_SECONDS else None)
    assert decide_begin(found, NAMES, "other", silent) is None


@given(st.text())
def test_a_database_without_a_claim_is_nobodys(comment: str) -> None:
    found = FoundDatabases({NAMES.next: FoundDatabase(2, comment)}, frozenset(), 0.0)
    assert decide_begin(found, NAMES, "this", 0.0) is None


def test_the_copy_is_of_the_same_owner_and_encoding(database: EnvironmentDatabase) -> None:
    database.sql("CREATE ROLE ann", "postgres")
    database.sql("ALTER DATABASE pipelines OWNER TO ann", "postgres")
    assert database.begin("one") == []
    rows = database.sql(
        "SELECT DISTINCT pg_get_userbyid(datdba), encoding, datcollate, datctype FROM pg_database"
        " WHERE datname LIKE 'pipelines%'"
    )
    assert [owner for owner, *_ in rows] == ["ann"]


def test_the_session_of_a_node_that_is_gone_ends_in_a_minute(database: EnvironmentDatabase) -> None:
    with server(database.url, "one") as (cursor, _):
        rows = cursor.execute("SELECT name, setting::int FROM pg_settings WHERE name LIKE 'tcp_keepalives%'").fetchall()
    found = dict(rows)
    assert (
        found.pop("tcp_keepalives_idle") + found.pop("tcp_keepalives_interval") * found.pop("tcp_keepalives_count")
        == 60
    )
    assert found == {}


def test_a_run_waits_for_the_one_that_has_its_turn(
    database: EnvironmentDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DATABASE_LOOK_SECONDS", 0.01)
    database.begin("one")
    told: list[str] = []
    waiting = threading.Event()

    def wait() -> None:
        module.begin(database.url, "two", 60.0, lambda text: (told.append(text), waiting.set()))

    thread = threading.Thread(target=wait)
    thread.start()
    assert waiting.wait(30)
    database.work(1)
    database.switch("one")
    thread.join(30)
    assert not thread.is_alive()
    assert told == ["waits for another run of this environment, which works on its database (pod one)"]
    claim = database.observe().by_name["pipelines_next"].claim
    assert claim
    assert claim.run == "two"
    assert database.numbers() == [1]


def test_waiting_has_a_limit_and_changes_nothing(database: EnvironmentDatabase) -> None:
    database.begin("one")
    with pytest.raises(DatabaseError, match=r"another run of this environment \(pod one\) has worked .* 0 seconds"):
        database.begin("two")
    claim = database.observe().by_name["pipelines_next"].claim
    assert claim
    assert claim.run == "one"


def test_a_session_says_that_a_run_is_alive_and_without_one_it_is_replaced(
    database: EnvironmentDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DATABASE_CLAIM_SECONDS", -1.0)
    monkeypatch.setattr(module, "DATABASE_DEAD_SECONDS", 0.0)
    database.begin("one")
    with psycopg.connect(database.url, application_name="dppctl run one"), pytest.raises(DatabaseError):
        database.begin("two")
    database.begin("two")
    claim = database.observe().by_name["pipelines_next"].claim
    assert claim
    assert claim.run == "two"


def test_a_turn_that_was_given_back_is_free_at_once(database: EnvironmentDatabase) -> None:
    database.begin("one")
    database.give_back("two")
    with pytest.raises(DatabaseError):
        database.begin("two")
    database.give_back("one")
    assert database.begin("two") == []


def test_a_beginning_that_is_killed_at_any_statement_can_be_made_again(database: EnvironmentDatabase) -> None:
    database.deploy("one", 1)
    step = 0
    while database.do_killed(step, "begin", "two"):
        assert database.numbers() == [1]
        database.begin("two")
        database.sql("COMMENT ON DATABASE pipelines_next IS ''", "postgres")
        step += 1
    assert step > 5


def test_without_the_database_it_says_so(database: EnvironmentDatabase) -> None:
    gone = EnvironmentDatabase(database.url.replace("/pipelines", "/other"))
    with pytest.raises(DatabaseError, match=r"there is no database other on the server: make it, or set"):
        gone.begin("one")


def test_a_server_that_is_away_is_waited_for_and_then_told(database: EnvironmentDatabase) -> None:
    port = psycopg.conninfo.conninfo_to_dict(database.url)["port"]
    with pytest.raises(DatabaseError, match="does not take the connection"):
        EnvironmentDatabase(database.url.replace(f":{port}/", ":1/")).begin("one")


@pytest.mark.parametrize("name", ["postgres_", "n" * 63])
def test_odd_names_have_a_copy_too(name: str, database: EnvironmentDatabase) -> None:
    database.sql(f'CREATE DATABASE "{name}"', "postgres")
    odd = EnvironmentDatabase(database.url.replace("/pipelines", f"/{name}"))
    odd.begin("one")
    odd.switch("one")
    made = odd.observe().by_name[name].made
    assert made
    assert made.run == "one"
