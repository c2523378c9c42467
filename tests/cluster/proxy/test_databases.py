"""A run's database: how it is reached, and its pages in a browser, which are Adminer's own."""

import html
import json
import os
import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from cluster.local.databases.web_ui import start_adminer
from cluster.proxy.tickets import is_valid, make_ticket
from tests.support.needs import needs
from tests.support.serving import Reply, Request, serving
from tests.support.stories.operator_world import OperatorWorld
from tests.support.stories.proxy_world import ProxyWorld


@dataclass
class DatabaseWorld:
    """A proxy, and what its operator says of the database of each run."""

    proxy: ProxyWorld
    access: dict[str, object]


@pytest.fixture
@needs("an API server")
def world(runs: OperatorWorld, tmp_path: Path) -> Iterator[DatabaseWorld]:
    access: dict[str, object] = {}

    def answer(_: Request) -> Reply:
        return Reply(200, {"Content-Type": "application/json"}, json.dumps(access).encode())

    with serving(answer) as address:
        kubeconfig = os.environ["DPPCTL_TEST_KUBECONFIG"]
        proxy = ProxyWorld(tmp_path, kubeconfig, runs.namespace, f"http://{address}")
        with proxy.running():
            yield DatabaseWorld(proxy, access)


@pytest.fixture
@needs("Adminer")
def pages(tmp_path: Path) -> Iterator[str]:
    """The address of Adminer, as in a database's pod."""
    folder = tmp_path / "sessions"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    with (tmp_path / "log").open("wb") as log:
        found = start_adminer(folder, log)
        assert found
        assert found.answers()
        yield f"http://127.0.0.1:{found.port}/"
        found.process.send_signal(signal.SIGTERM)
        found.process.wait()


def test_a_ticket_is_for_one_run_and_for_a_time() -> None:
    ticket = make_ticket(b"key", "uid", 100)
    assert is_valid(b"key", "uid", ticket, 99.0)
    for key, uid, given, now in (
        (b"key", "uid", ticket, 100.0),
        (b"key", "uid2", ticket, 0.0),
        (b"other", "uid", ticket, 0.0),
        (b"key", "uid", ticket.replace("100.", "200."), 0.0),
        (b"key", "uid", "", 0.0),
        (b"key", "uid", "\udcff.\udcff", 0.0),
        (b"key", "uid", "\u0661.a", 0.0),
    ):
        assert not is_valid(key, uid, given, now)


def test_a_browser_sees_adminer_by_the_address_alone(runs: OperatorWorld, world: DatabaseWorld, pages: str) -> None:
    name = runs.ask("rows", user="token:ann", database="postgres")
    world.access |= {"host": "127.0.0.1", "port": 5432, "user": "postgres", "password": "pa55", "database": "postgres"}
    world.access["ui"] = pages
    ann, proxy = world.proxy.person(), world.proxy
    found = ann.get(f"/v1/runs/{name}/database")
    assert (found["host"], found["password"]) == ("127.0.0.1", "pa55")
    assert proxy.person("ben").refused("GET", f"/v1/runs/{name}/database")[0] == 404

    path = f"/v1/runs/{name}/ui/"
    browser = requests.Session()
    for address in (path, found["ui"][:-1]):
        refused = browser.get(proxy.url + address, timeout=10)
        assert (refused.status_code, refused.json()["code"]) == (401, "no-ticket")
    assert browser.get(proxy.url + path, headers=ann.headers, timeout=10).status_code == 401
    first = browser.get(proxy.url + found["ui"], timeout=10, allow_redirects=False)
    assert (first.status_code, first.headers["Location"]) == (303, path)
    assert {"HttpOnly", "SameSite=Lax", f"Path={path}"} <= set(first.headers["Set-Cookie"].split("; "))
    page = browser.get(proxy.url + path, timeout=10)
    assert page.status_code == 200
    assert "<title>Login - Adminer" in page.text
    assert {cookie.path for cookie in browser.cookies} == {path}
    assert page.headers["X-Frame-Options"].lower() == "deny"
    style = re.search(r"""["'](\?file=[^"']*css[^"']*)["']""", page.text)
    assert style, page.text
    sheet = browser.get(f"{proxy.url}{path}{html.unescape(style[1])}", timeout=10)
    assert sheet.headers["Content-Type"].startswith("text/css")
    form = {"auth[driver]": "pgsql", "auth[server]": "127.0.0.1:9", "auth[username]": "postgres", "auth[password]": "x"}
    form["auth[db]"] = ""
    answer = browser.post(proxy.url + path, data=form, timeout=10)
    assert answer.url.startswith(f"{proxy.url}{path}?pgsql=127.0.0.1")  # it went where Adminer sent it
    assert "password" in answer.text


def test_nothing_of_ours_is_passed_on_to_the_pages(runs: OperatorWorld, world: DatabaseWorld) -> None:
    name, seen = runs.ask("rows", user="token:ann"), []

    def answer(request: Request) -> Reply:
        seen.append((request.path, request.authorization, request.cookie))
        return Reply(200, {"Set-Cookie": "a=b; Path=/; Domain=example.org; HttpOnly", "Server": "x"}, b"page")

    with serving(answer) as address:
        world.access |= {"host": "h", "port": 1, "user": "u", "password": "p", "database": "d"}
        world.access["ui"] = f"http://{address}/"
        ann, path = world.proxy.person(), f"/v1/runs/{name}/ui/"
        browser = requests.Session()
        browser.get(world.proxy.url + ann.get(f"/v1/runs/{name}/database")["ui"], headers=ann.headers, timeout=10)
        page = browser.get(f"{world.proxy.url}{path}?a=%2F..%2F", headers=ann.headers, timeout=10)
    assert seen == [(path, None, None), (f"{path}?a=%2F..%2F", None, "a=b")]
    assert page.headers["Set-Cookie"] == f"a=b; HttpOnly; path={path}"
    assert page.headers.get("Server") != "x"


def test_pages_that_are_away_are_one_line(runs: OperatorWorld, world: DatabaseWorld) -> None:
    name = runs.ask("rows", user="token:ann")
    world.access |= {"host": "h", "port": 1, "user": "u", "password": "p", "database": "d", "ui": "http://127.0.0.1:9/"}
    browser = requests.Session()
    answer = browser.get(world.proxy.url + world.proxy.person().get(f"/v1/runs/{name}/database")["ui"], timeout=10)
    assert (answer.status_code, answer.json()["code"]) == (503, "database-away")
    world.access["ui"] = ""
    assert world.proxy.person().get(f"/v1/runs/{name}/database")["ui"] == ""
    del world.access["port"]
    assert world.proxy.person().refused("GET", f"/v1/runs/{name}/database")[0] == 503
