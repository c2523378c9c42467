"""Datasette over the databases of environments, as the receiver asks it."""

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from cluster.sync.local.data_app import DataApp, serve
from cluster.sync.local.data_server import DataServer
from cluster.sync.local.environment import LocalEnvironment, environment_folder
from cluster.sync.local.environment_data import TOKEN_HEADER, current_database, environment_tables
from tests.support.asynchronous import run_async
from tests.support.environment import processes_with
from tests.support.environments import put_rows
from tests.support.waiting import eventually
from tests.support.world import PRODUCTION, STAGING

STAGING_PATH = "ann~2Fapp~2Fstaging"


class AskedServer:
    """Asks a server as the receiver does."""

    def __init__(self, environments: Path) -> None:
        self.environments = environments
        self.server = DataServer(environments)

    def get(self, path: str, token: str | None = None) -> requests.Response:
        headers = {TOKEN_HEADER: self.server.token if token is None else token}
        return requests.get(f"http://127.0.0.1:{self.server.port}/data/{path}", headers=headers, timeout=60)

    def sql(self, sql: str) -> requests.Response:
        return self.get(f"{STAGING_PATH}.json?{requests.compat.urlencode({'sql': sql, '_shape': 'array'})}")

    def running(self) -> list[int]:
        return processes_with(f"data_app\0{self.server._listening.fileno()}\0{self.environments}")


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[AskedServer]:
    asked = AskedServer(tmp_path / "environments")
    yield asked
    asked.server.close()


def names(answer: requests.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [row["name"] for row in answer.json()]


def test_a_table_is_shown_as_a_page_as_csv_and_as_json(asked: AskedServer) -> None:
    put_rows(asked.environments, STAGING, ["France", "ישראל"])
    assert "France" in asked.get(f"{STAGING_PATH}/countries").text
    assert asked.get(f"{STAGING_PATH}/countries.csv?_stream=on&_size=max").text.splitlines() == [
        "id,name",
        "1,France",
        "2,ישראל",
    ]
    assert names(asked.get(f"{STAGING_PATH}/countries.json?_shape=array")) == ["France", "ישראל"]
    assert f'href="/data/{STAGING_PATH}/countries/1"' in asked.get(f"{STAGING_PATH}/countries").text


def test_a_csv_has_all_rows_and_an_answer_in_json_a_thousand(asked: AskedServer) -> None:
    put_rows(asked.environments, STAGING, [str(number) for number in range(2500)])
    assert len(asked.get(f"{STAGING_PATH}/countries.csv?_stream=on&_size=max").text.splitlines()) == 2501
    answer = asked.get(f"{STAGING_PATH}/countries.json?_shape=array&_size=max")
    assert len(names(answer)) == 1000
    assert f"/data/{STAGING_PATH}/countries.json?_shape=array&_size=max&_next=1000" in answer.headers["Link"]
    assert "/data/data/" not in answer.headers["Link"]


def test_it_follows_what_comes_into_force(asked: AskedServer) -> None:
    for round_names in (["old"], ["new", "newer"]):
        put_rows(asked.environments, STAGING, round_names)
        assert names(asked.get(f"{STAGING_PATH}/countries.json?_shape=array")) == round_names
        assert len(asked.running()) == 1


def test_a_download_has_the_rows_of_one_release(asked: AskedServer) -> None:
    put_rows(asked.environments, STAGING, ["old"] * 50_000)
    answer = requests.get(
        f"http://127.0.0.1:{asked.server.port}/data/{STAGING_PATH}/countries.csv?_stream=on&_size=max",
        headers={TOKEN_HEADER: asked.server.token},
        timeout=60,
        stream=True,
    )
    lines = answer.iter_lines(decode_unicode=True)
    assert [next(lines), next(lines)] == ["id,name", "1,old"]
    put_rows(asked.environments, STAGING, ["new"] * 60_000)
    rest = list(lines)
    assert len(rest) == 49_999
    assert all(line.endswith(",old") for line in rest)


def test_rows_in_a_log_that_pipelines_left_are_shown(asked: AskedServer) -> None:
    release = put_rows(asked.environments, STAGING, ["in the log"], in_log=True)
    assert Path(f"{release.work_database}-wal").stat().st_size
    assert names(asked.get(f"{STAGING_PATH}/countries.json?_shape=array")) == ["in the log"]


def test_nothing_is_written_and_nothing_else_is_opened(asked: AskedServer, tmp_path: Path) -> None:
    release = put_rows(asked.environments, STAGING, ["France"])
    before = release.work_database.read_bytes()
    secret = tmp_path / "secret.sqlite"
    secret.write_bytes(before)
    for sql in (
        "delete from countries",
        f"attach database '{secret}' as other",
        f"select load_extension('{secret}')",
        f"select readfile('{secret}')",
        "pragma query_only=0",
        f"vacuum into '{tmp_path}/copy.sqlite'",
    ):
        assert asked.sql(sql).status_code == 400, sql
    assert release.work_database.read_bytes() == before
    assert {file.name for file in tmp_path.iterdir()} == {"environments", "secret.sqlite"}


def test_other_addresses_are_refused(asked: AskedServer) -> None:
    put_rows(asked.environments, STAGING, ["France"])
    for path in (
        "",
        "_internal",
        "_memory",
        "-/databases.json",
        "-/settings.json",
        "-/static/../../app.py",
        "ann~2Fapp~2Fproduction",
        "ann~2Fapp~2F..",
        "..~2F..~2Fsecret",
        "ann~2Fapp~2Fstaging~2F..~2Fstaging",
        f"{STAGING_PATH}.db",
        f"{STAGING_PATH}/countries/1/..%2f..%2f..%2fetc%2fpasswd",
    ):
        assert asked.get(path).status_code in (403, 404), path


def test_who_does_not_know_the_token_sees_nothing(asked: AskedServer) -> None:
    put_rows(asked.environments, STAGING, ["France"])
    for token in ("", "another"):
        answer = asked.get(f"{STAGING_PATH}/countries.csv", token=token)
        assert (answer.status_code, answer.text) == (403, "not for you\n")


def test_a_question_has_an_end_and_a_size(asked: AskedServer) -> None:
    put_rows(asked.environments, STAGING, ["France"])
    endless = "with recursive t(n) as (select 1 union all select n+1 from t) select count(*) from t"
    assert "time limit" in asked.sql(endless).text.lower() or "interrupted" in asked.sql(endless).text
    assert "too big" in asked.sql("select length(zeroblob(100000000))").text
    many = "with recursive t(n) as (select 1 union all select n+1 from t where n < 5000) select n from t"
    assert len(asked.sql(many).json()) == 1000


def test_an_answer_that_would_take_all_memory_is_refused_and_others_are_given(asked: AskedServer) -> None:
    put_rows(asked.environments, STAGING, ["France"])
    columns = ", ".join(f"zeroblob(1000000) as c{number}" for number in range(40))
    large = f"with recursive t(n) as (select 1 union all select n+1 from t where n < 1000) select {columns} from t"
    with suppress(requests.ConnectionError):  # or it ended, and is started anew
        assert asked.sql(large).status_code >= 400
    assert names(asked.get(f"{STAGING_PATH}/countries.json?_shape=array")) == ["France"]
    assert "countries" in asked.sql("select name from sqlite_master").text


def test_a_link_in_the_place_of_the_database_is_not_followed(asked: AskedServer, tmp_path: Path) -> None:
    release = put_rows(asked.environments, STAGING, ["France"])
    secret = tmp_path / "secret.sqlite"
    release.work_database.replace(secret)
    release.work_database.symlink_to(secret)
    assert current_database(asked.environments, "ann/app", "staging") is None
    assert asked.get(f"{STAGING_PATH}/countries").status_code == 404


def test_what_is_no_database_has_no_tables(asked: AskedServer) -> None:
    environment = LocalEnvironment(environment_folder(asked.environments, PRODUCTION))
    release = environment.begin(threading.Event())
    release.work_database.write_bytes(b"nonsense" * 1000)
    environment.switch(release)
    assert environment_tables(asked.environments, "ann/app", "production") == ()
    put_rows(asked.environments, STAGING, [], table='b"c/d')
    assert environment_tables(asked.environments, "ann/app", "staging") == ('b"c/d',)


def test_one_process_is_started_by_the_first_look_again_after_its_death_and_ends_with_the_server(
    asked: AskedServer,
) -> None:
    put_rows(asked.environments, STAGING, ["France"])
    put_rows(asked.environments, PRODUCTION, ["France"])
    assert asked.running() == []
    for path in (STAGING_PATH, "ann~2Fapp~2Fproduction"):
        assert asked.get(path).status_code == 200
    (process,) = asked.running()
    os.kill(process, signal.SIGKILL)
    eventually(lambda: asked.running() == [], "it is dead")
    assert names(asked.get(f"{STAGING_PATH}/countries.json?_shape=array")) == ["France"]
    (process,) = asked.running()
    asked.server.close()
    eventually(lambda: asked.running() == [] and process not in asked.running(), "it has ended with its server")
    asked.server = DataServer(asked.environments)


def test_it_ends_when_nobody_has_asked_for_a_while(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        run_async(serve(DataApp(tmp_path, "token"), listening, 0.2))  # it returns
