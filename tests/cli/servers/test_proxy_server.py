"""`dppctl proxy` by its settings: whom it knows, how people log in there, and what is refused."""

import re
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import requests

from bot.errors import DppctlError
from cli.servers.proxy_server import ProxyServer
from tests.support.auth import PUBLIC, SERVICE, AuthWorld
from tests.support.auth_server import ServedAuth
from tests.support.kubeconfig import kubeconfig_of
from tests.support.stories.exec_api import ExecApi
from tests.support.stories.proxy_world import Person


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Those that every proxy has."""
    (tmp_path / "operator-token").write_text("of the operator")
    (tmp_path / "auth-token").write_text(SERVICE)
    with ExecApi().serving() as api:
        given = {
            "KUBECONFIG": kubeconfig_of(tmp_path, api.url),
            "DPPCTL_STATE_DIR": str(tmp_path / "state"),
            "DPPCTL_RUNS_NAMESPACE": "runs",
            "DPPCTL_OPERATOR_TOKEN_FILE": str(tmp_path / "operator-token"),
            "DPPCTL_PROXY_LISTEN": "127.0.0.1:0",
        }
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        yield monkeypatch


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """Its URL."""
    server = ProxyServer(folder, threading.Event())
    thread = threading.Thread(target=server.parts()["proxy"])
    thread.start()
    found = re.search(r"http://[\d.:]+", server.hello())
    assert found
    try:
        yield found[0]
    finally:
        server.stop()
        thread.join()


@pytest.mark.parametrize("mode", ["token", "oauth"])
def test_it_asks_the_auth_server_and_says_where_that_is(
    tmp_path: Path, settings: pytest.MonkeyPatch, mode: str
) -> None:
    world = AuthWorld(tmp_path, mode=mode)
    token = world.file_token("ann", "read")
    with closing(world.service), ServedAuth(world).running() as auth:
        settings.setenv("DPPCTL_AUTH_URL", auth.url)
        settings.setenv("DPPCTL_AUTH_MODE", mode)
        settings.setenv("DPPCTL_AUTH_SERVICE_TOKEN_FILE", str(tmp_path / "auth-token"))
        settings.setenv("DPPCTL_PUBLIC_URL", f"{PUBLIC}/")
        with running(tmp_path) as url:
            login = requests.get(f"{url}/v1/login", timeout=10).json()
            assert login == {"mode": mode, "url": f"{PUBLIC}/auth", "public": False}
            assert Person(url, token).get("/v1/runs") == {"runs": []}
            assert Person(url, "dppctl_wrong").refused("GET", "/v1/runs")[0] == 401


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "DPPCTL_PROXY_TOKENS_FILE: is not set; `dppctl token create` makes such a file; or let DPPCTL_AUTH_URL"),
        ({"DPPCTL_AUTH_URL": "http://127.0.0.1:9"}, "DPPCTL_AUTH_SERVICE_TOKEN_FILE: is not set"),
    ],
)
def test_a_proxy_that_would_know_nobody_is_refused(
    tmp_path: Path, settings: pytest.MonkeyPatch, given: dict[str, str], said: str
) -> None:
    for name, value in given.items():
        settings.setenv(name, value)
    with pytest.raises(DppctlError) as refused:
        ProxyServer(tmp_path, threading.Event())
    assert str(refused.value).startswith(said)


def test_a_public_cluster_says_who_runs_it_and_keeps_people_to_limits(
    tmp_path: Path, settings: pytest.MonkeyPatch
) -> None:
    for name in ("usage-token", "service-token"):
        (tmp_path / name).write_text(f"the {name}")
    (tmp_path / "tokens.json").write_text("[]")
    settings.setenv("DPPCTL_PUBLIC_CLUSTER", "true")
    settings.setenv("DPPCTL_PROXY_TOKENS_FILE", str(tmp_path / "tokens.json"))
    missing = "DPPCTL_PUBLIC_URL, DPPCTL_PUBLIC_OPERATOR, DPPCTL_PUBLIC_CONTACT, DPPCTL_AUTH_URL, DPPCTL_USAGE_URL too"
    with (
        pytest.raises(DppctlError, match=f"DPPCTL_PUBLIC_CLUSTER: a public cluster needs {missing}"),
        running(tmp_path),
    ):
        pass
    given = {
        "PUBLIC_URL": PUBLIC,
        "PUBLIC_OPERATOR": "the lab",
        "PUBLIC_CONTACT": "https://lab.example.org/abuse",
        "AUTH_URL": "http://127.0.0.1:9",
        "AUTH_SERVICE_TOKEN_FILE": str(tmp_path / "auth-token"),
        "USAGE_URL": "http://127.0.0.1:9",
        "USAGE_TOKEN_FILE": str(tmp_path / "usage-token"),
        "PROXY_SERVICE_TOKEN_FILE": str(tmp_path / "service-token"),
    }
    for name, value in given.items():
        settings.setenv(f"DPPCTL_{name}", value)
    with running(tmp_path) as url:
        assert '<a href="https://lab.example.org/abuse">' in requests.get(url, timeout=10).text
        assert requests.get(f"{url}/v1/login", timeout=10).json()["public"] is True
    settings.setenv("DPPCTL_PUBLIC_CONTACT", "the lab")
    with pytest.raises(DppctlError, match="DPPCTL_PUBLIC_CONTACT"), running(tmp_path):
        pass
