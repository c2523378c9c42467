"""The data behind one click: who sees it, and what is handed on of Datasette's answers."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as some
from playwright.sync_api import Browser
from werkzeug.serving import make_server
from werkzeug.test import Client, TestResponse

from bot.model.account import Permission
from cli.servers.local_data import MachineData
from cluster.sync.local.data_server import DataServer
from cluster.sync.local.environment import LocalEnvironment, environment_folder
from tests.support.environments import put_rows
from tests.support.pages import APP, PagesWorld, make_world
from tests.support.serving import in_thread
from tests.support.world import STAGING
from webhooks.data_pages import DataPages, DataServerAddress, tilde_encode
from webhooks.limits import DATA_REQUESTS, DATA_WAITING
from webhooks.visitors import Visitor

TABLE = "/data/ann~2Fapp~2Fstaging/countries"
MakeDataWorld = Callable[..., PagesWorld]


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows of staging; what a test adds is another environment's, as all have the same server."""
    folder: Path = tmp_path_factory.mktemp("data") / "environments"
    put_rows(folder, STAGING, ["France", "ישראל"])
    return folder


@pytest.fixture(scope="module")
def data_server(environments: Path) -> Iterator[DataServer]:
    with closing(DataServer(environments)) as server:
        yield server


@pytest.fixture
def make_data_world(environments: Path, data_server: DataServer, tmp_path: Path) -> Iterator[MakeDataWorld]:
    """`make_data_world(**settings)`: pages with Datasette beside them, as `dppctl up` has them."""
    with ExitStack() as ends:

        def make(folder: Path = environments, server: DataServer = data_server, **given: object) -> PagesWorld:
            local = MachineData(folder, DataServerAddress(server.port, server.token), "http://127.0.0.1:8099")
            (pages := tmp_path / "pages").mkdir()
            world = make_world(pages, local_data=local, **given)
            ends.callback(world.store.close)
            return world

        yield make


def get(client: Client, path: str, **more: object) -> TestResponse:
    answer = client.get(path, **more)
    answer.get_data()
    return answer


def test_rows_are_shown_on_this_machine_and_without_any_script(make_data_world: MakeDataWorld) -> None:
    client = make_data_world().client()
    page = get(client, TABLE)
    assert "France" in page.text
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert page.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "Access-Control-Allow-Origin" not in page.headers
    assert get(client, f"{TABLE}.csv?_stream=on&_size=max").text.splitlines() == ["id,name", "1,France", "2,ישראל"]
    assert get(client, f"{TABLE}.json?_shape=array").json == [{"id": 1, "name": "France"}, {"id": 2, "name": "ישראל"}]
    assert get(client, "/data/-/static/app.css").mimetype == "text/css"
    assert get(client, "/data/").headers["Location"] == "/"


def test_others_see_no_rows_where_there_is_no_login(make_data_world: MakeDataWorld) -> None:
    client = make_data_world().client()
    for more in (
        {"environ_base": {"REMOTE_ADDR": "192.0.2.7"}},
        {"headers": {"X-Forwarded-For": "192.0.2.7"}},
        {"headers": {"Host": "evil.example"}},
    ):
        answer = get(client, TABLE, **more)
        assert answer.status_code == 403
        assert "France" not in answer.text


def test_a_public_address_without_a_login_shows_no_rows(make_data_world: MakeDataWorld) -> None:
    client = make_data_world(PUBLIC_URL="https://dppctl.example.org").client()
    assert get(client, TABLE, headers={"Host": "dppctl.example.org"}).status_code == 403
    assert get(client, TABLE).status_code == 403


class KnownVisitors:
    """Somebody who has logged in, or has not."""

    def __init__(self, visitor: Visitor) -> None:
        self.identify = lambda: visitor

    def remember(self, _: object) -> None:
        """Add nothing."""

    def may_act(self, *_: object) -> Permission:
        """Nobody acts here."""
        return Permission(allowed=False, reason="")


@pytest.mark.parametrize(
    ("visitor", "status"),
    [
        (Visitor(can_log_in=True), 403),
        (Visitor("github:1", "ann", "x", can_read=True, can_log_out=True), 200),
        (Visitor("github:1", "ann", "x", can_read=False, can_log_out=True), 403),
        (Visitor(note="the login server does not answer", is_away=True), 403),
    ],
)
def test_with_a_login_rows_are_for_those_who_may_read(
    make_data_world: MakeDataWorld, visitor: Visitor, status: int
) -> None:
    client = make_data_world(visitors=KnownVisitors(visitor)).client()
    assert get(client, TABLE).status_code == status


def test_where_pages_are_for_those_who_have_logged_in_others_are_led_to_the_login(
    make_data_world: MakeDataWorld,
) -> None:
    world = make_data_world(visitors=KnownVisitors(Visitor(can_log_in=True)), PAGES="login")
    answer = get(world.client(), TABLE)
    assert (answer.status_code, answer.headers["Location"].partition("?")[0]) == (303, "/auth/login")


def test_what_apps_yaml_does_not_register_is_not_shown(make_data_world: MakeDataWorld, environments: Path) -> None:
    put_rows(environments, replace(STAGING, environment="other"), ["France"])
    client = make_data_world().client()
    assert get(client, "/data/ann~2Fapp~2Fother/countries").status_code == 404
    assert get(client, "/data/_internal").status_code == 404
    assert get(client, "/data/-/databases.json").status_code == 404
    assert client.post(TABLE).status_code == 405


def test_a_session_never_reaches_datasette(make_data_world: MakeDataWorld) -> None:
    client = make_data_world().client()
    client.set_cookie("ds_messages", "x")
    answer = get(client, TABLE, headers={"Cookie": "session=secret", "Authorization": "Bearer secret"})
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in answer.headers


def test_each_answer_gives_its_place_back_and_too_many_are_sent_away(make_data_world: MakeDataWorld) -> None:
    world = make_data_world()
    client = world.client()
    for _ in range(2 * (DATA_REQUESTS + DATA_WAITING)):
        assert get(client, f"{TABLE}.csv").status_code == 200
        assert get(client, "/data/ann~2Fapp~2Fproduction").status_code == 404
    held = [world.client().get(f"{TABLE}.csv", buffered=False) for _ in range(DATA_REQUESTS)]
    refused: list[int] = []
    waiting = [
        threading.Thread(target=lambda: refused.append(get(world.client(), TABLE).status_code))
        for _ in range(DATA_WAITING + 1)
    ]
    for thread in waiting:
        thread.start()
    for thread in waiting:
        thread.join()
    assert refused == [503] * (DATA_WAITING + 1)
    for answer in held:
        answer.close()
    assert get(client, TABLE).status_code == 200


def test_the_environment_is_told_where_its_data_is(make_data_world: MakeDataWorld, environments: Path) -> None:
    world = make_data_world()
    pages = cast(DataPages, world.app.jinja_env.globals["data_pages"])
    with world.app.test_request_context("/", environ_base={"REMOTE_ADDR": "127.0.0.1"}):
        assert pages.url(APP, "staging") == "/data/ann~2Fapp~2Fstaging"
        assert pages.url(APP, "production") is None
        assert [table.url for table in pages.tables(APP, "staging")] == [TABLE]
        assert pages.published_url(APP, "staging") is None
        storage = LocalEnvironment(environment_folder(environments, STAGING)).storage
        storage.mkdir()
        (storage / "index.html").write_text("site")
        assert pages.published_url(APP, "staging") == "http://127.0.0.1:8099/ann+app/staging/"


@given(some.text(some.characters(exclude_categories=["Cs"])))
def test_names_are_encoded_as_datasette_does(name: str) -> None:
    from datasette.utils import tilde_encode as theirs

    assert tilde_encode(name) == theirs(name)


def test_what_data_smuggles_in_does_not_run(make_data_world: MakeDataWorld, tmp_path: Path, browser: Browser) -> None:
    hostile = "<img src=x onerror=\"document.title='hacked'\"><script>document.title='hacked'</script>"
    put_rows(tmp_path / "environments", STAGING, [hostile, "javascript:document.title='hacked'"], table="countries")
    put_rows(tmp_path / "environments", STAGING, [hostile], table=hostile)
    page = browser.new_page()
    with closing(DataServer(tmp_path / "environments")) as data_server:
        world = make_data_world(tmp_path / "environments", data_server)
        server = make_server("127.0.0.1", 0, world.app, threaded=True)
        with in_thread(server):
            for path in (TABLE, f"{TABLE}/1", f"/data/ann~2Fapp~2Fstaging/{tilde_encode(hostile)}"):
                page.goto(f"http://127.0.0.1:{server.server_port}{path}")
                assert "<script>document" in page.locator("body").inner_text()
                assert page.title() != "hacked"
                assert page.locator("img").count() == 0
            page.close()
