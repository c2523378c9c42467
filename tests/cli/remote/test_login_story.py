"""From a login to the end of its token: an auth server, a proxy, an operator and a real API server."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests

from cli.remote.auth import AuthClient
from cli.remote.clusters import NamedCluster, add_cluster, use_cluster
from cli.remote.device_flow import log_in
from cli.remote.tokens import kept_token
from cluster.auth.admission import Lists
from tests.support.auth import ANN, BEN, AuthWorld
from tests.support.auth_server import ServedAuth
from tests.support.stories.device_login import Minutes
from tests.support.stories.operator_world import OperatorWorld
from tests.support.stories.proxy_world import AuthPlace, ProxyWorld
from tests.support.stories.proxy_world import Person as ApiPerson
from tests.support.waiting import eventually
from tests.support.workloads import write_files

pytestmark = [pytest.mark.needs("an API server"), pytest.mark.slow]
Person = Callable[..., str]


@pytest.fixture
def auth(tmp_path: Path) -> Iterator[ServedAuth]:
    world = AuthWorld(tmp_path, mode="oauth", lists=Lists(users=(ANN.user, BEN.user)))
    with closing(world.service), ServedAuth(world).running() as served:
        yield served


@pytest.fixture
def office(auth: ServedAuth, runs: OperatorWorld, tmp_path: Path, settings_folder: Path) -> Iterator[ProxyWorld]:
    """A proxy that asks it, as the cluster that a person has chosen."""
    assert settings_folder
    place = AuthPlace(auth.url, "oauth")
    world = ProxyWorld(tmp_path, os.environ["DPPCTL_TEST_KUBECONFIG"], runs.namespace, runs.url, place)
    with world.running():
        add_cluster(NamedCluster("office", world.url))
        use_cluster("office")
        yield world


def test_what_a_login_opens_is_ones_own_and_ends_with_its_token(
    auth: ServedAuth,
    office: ProxyWorld,
    runs: OperatorWorld,
    person: Person,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bot.accounts.ACCOUNT_SECONDS", 0.5)
    monkeypatch.setattr("cluster.proxy.authentication.TOKEN_CHECK_SECONDS", 0.2)
    spec = "".join(f"{name}:\n  pipeline: []\n" for name in ("rows", "wait"))
    monkeypatch.chdir(write_files(tmp_path / "workload", {"pipeline-spec.yaml": spec}))
    assert person("run", "./rows").startswith("refused: there is no token for the cluster office; `dppctl login office")

    _log_in_as_ann(auth, person, monkeypatch)
    assert "INFO    :SUCCESS: ./a" in person("run", "./rows")
    ann, ben = ApiPerson(office.url, kept_token("office")), ApiPerson(office.url, _token_of_ben(auth, monkeypatch))
    (ran,) = ann.get("/v1/runs")["runs"]
    assert ran["user"] == ANN.user

    name = ann.ask("POST", "/v1/runs", json={"pipelines": ["wait"], "workload": runs.workload}).json()["name"]
    eventually(lambda: ann.get(f"/v1/runs/{name}")["phase"] == "Running", "it runs")
    pod = ann.get(f"/v1/runs/{name}")["worker"]["name"]
    _is_not_there_for(ben, name, pod)
    _needs_its_scope(auth, ann, office.url, runs)

    followed = ann.ask("GET", f"/v1/runs/{name}/events", stream=True)
    cut: list[Exception] = []
    reader = threading.Thread(target=_read, args=[followed, cut])
    reader.start()
    assert person("logout") == "Logged out of office: its token is revoked, and forgotten here\n"
    reader.join(20)
    assert isinstance(cut[0], requests.RequestException), ("its stream is cut off", cut, runs.status(name))
    eventually(lambda: ann.ask("GET", "/v1/runs").status_code == 401, "its token is refused", 5)
    assert runs.status(name)["phase"] == "Running", "the run goes on"
    _log_in_as_ann(auth, person, monkeypatch)
    person("stop", name)
    runs.until(name, "Stopped")


def _log_in_as_ann(auth: ServedAuth, person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    minutes = Minutes(auth)
    minutes.decides = lambda _: minutes.decide("allow")
    with monkeypatch.context() as patched:
        patched.setattr("cli.remote.device_flow.time", minutes)
        patched.setattr("cli.commands.login._note", minutes.shown.append)
        assert person("login").startswith("Logged in to office as OriHoch (github:583231)")


def _token_of_ben(auth: ServedAuth, monkeypatch: pytest.MonkeyPatch) -> str:
    minutes = Minutes(auth, BEN)
    minutes.decides = lambda _: minutes.decide("allow")
    with monkeypatch.context() as patched, AuthClient("office", f"{auth.url}/auth") as client:
        patched.setattr("cli.remote.device_flow.time", minutes)
        return log_in(client, ("read", "run", "ssh"), minutes.shown.append, lambda _: False)


def _is_not_there_for(ben: ApiPerson, name: str, pod: str) -> None:
    """Somebody else's run and its pod do not exist for him, whatever he may do with his own."""
    assert ben.get("/v1/runs") == {"runs": []}
    for method, path in (
        *(("GET", f"/v1/runs/{name}{more}") for more in ("", "/events", "/database")),
        *(("POST", f"/v1/runs/{name}/stop"), ("DELETE", f"/v1/pods/{pod}")),
    ):
        assert ben.refused(method, path)[0] == 404, path
    websocket = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    keys = {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol": "v4.channel.k8s.io"}
    assert ben.refused("GET", f"/v1/pods/{pod}/exec", headers={**websocket, **keys})[0] == 404
    assert ben.refused("GET", "/v1/runs?all=1")[0] == 403


def _needs_its_scope(auth: ServedAuth, ann: ApiPerson, url: str, runs: OperatorWorld) -> None:
    """A token that may only read asks for no run, and nobody makes a token that may more than the own one."""
    with AuthClient("office", f"{auth.url}/auth", ann.token) as client:
        reader = ApiPerson(url, client.create_token("a reader", ("read",), 1).token)
    status, problem = reader.refused("POST", "/v1/runs", json={"pipelines": ["rows"], "workload": runs.workload})
    assert (status, problem["error"]) == (403, "the token 'a reader' has no scope run; it has read")


def _read(followed: requests.Response, cut: list[Exception]) -> None:
    try:
        for _ in followed.iter_content(1):
            pass
    except requests.RequestException as error:
        cut.append(error)
    else:
        cut.append(AssertionError("it ended"))
