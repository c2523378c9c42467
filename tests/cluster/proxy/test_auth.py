"""A proxy that asks the auth server: whom it lets in, what it remembers, and what holds while that is away."""

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
import requests

from bot.accounts import AccountsAwayError, AccountsClient, AccountsRefusedError
from bot.limits import ACCOUNT_SECONDS
from cluster.auth.admission import Lists
from cluster.limits import UNKNOWN_TOKENS_A_SECOND, WRONG_TOKENS
from tests.support.auth import ANN, SERVICE, AuthWorld
from tests.support.auth_server import ServedAuth
from tests.support.kubeconfig import kubeconfig_of
from tests.support.stories.exec_api import ExecApi
from tests.support.stories.proxy_world import AuthPlace, Person, ProxyWorld
from tests.support.waiting import BUSY


@pytest.fixture
def auth(tmp_path: Path) -> Iterator[ServedAuth]:
    world = AuthWorld(tmp_path, lists=Lists(users=(ANN.user,)))
    with closing(world.service):
        yield ServedAuth(world)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def client(auth: ServedAuth, folder: Path, clock: Clock) -> AccountsClient:
    (folder / "service").write_text(f"{SERVICE}\n")
    return AccountsClient(auth.url, folder / "service", clock)


def test_what_is_said_of_a_token_holds_for_half_a_minute_and_of_a_session_not_at_all(
    auth: ServedAuth, tmp_path: Path
) -> None:
    clock = Clock()
    token, session = auth.world.file_token("ann", "read", "run"), auth.world.service.log_in(ANN)
    with auth.running():
        accounts = client(auth, tmp_path, clock)
        found = accounts.identify(token)
        assert found
        assert (found.user, found.login, found.token, found.scope_names) == ("token:ann", "ann", "ann", ("read", "run"))
        assert accounts.identify("dppctl_wrong") is None
        assert (accounts.identify(token), accounts.identify("dppctl_wrong")) == (found, None)
        assert len(auth.asked) == 2
        auth.world.revoke_file_token("ann")
        clock.now = ACCOUNT_SECONDS - 0.1
        assert accounts.identify(token) == found
        clock.now = ACCOUNT_SECONDS + 0.1
        assert accounts.identify(token) is None

        person = accounts.identify(session)
        assert person
        assert (person.user, person.login, bool(person.csrf)) == (ANN.user, "OriHoch", True)
        assert session not in repr(accounts.__dict__)
        auth.world.service.log_out(session)
        assert accounts.identify(session) is None, "at once"
        (tmp_path / "service").write_text("another")
        with pytest.raises(AccountsRefusedError, match="refuses this server: 401; it knows another token"):
            accounts.identify("dppctl_new")
    with pytest.raises(AccountsAwayError, match="does not answer: ConnectionError"):
        accounts.identify("dppctl_new")


@pytest.fixture
def world(auth: ServedAuth, tmp_path: Path) -> Iterator[ProxyWorld]:
    """A proxy, of a cluster that has nothing, whose auth server has not begun yet."""
    with ExitStack() as opened:
        api = opened.enter_context(ExecApi().serving())
        with auth.running():
            pass  # so that it has an address
        place = AuthPlace(auth.url, "oauth")
        made = ProxyWorld(tmp_path, kubeconfig_of(tmp_path, api.url), "runs", "http://127.0.0.1:9", place)
        opened.enter_context(made.running())
        yield made


def test_nobody_new_gets_in_while_it_is_away_and_who_was_let_in_goes_on(auth: ServedAuth, world: ProxyWorld) -> None:
    ann = Person(world.url, auth.world.file_token("ann", "read"))
    ben = Person(world.url, auth.world.file_token("ben", "read"))
    with auth.running():
        assert ann.get("/v1/runs") == {"runs": []}
        assert ann.refused("POST", "/v1/runs", json={})[1]["error"].endswith("has no scope run; it has read")
    assert ann.get("/v1/runs") == {"runs": []}
    answer = ben.ask("GET", "/v1/runs")
    assert (answer.status_code, answer.json()["code"], answer.headers["Retry-After"]) == (503, "auth-away", "2")
    assert Person(world.url).get("/v1/login") == {"mode": "oauth", "url": f"{auth.url}/auth", "public": False}
    with auth.running():
        assert ben.get("/v1/runs") == {"runs": []}


def test_a_sessions_cookie_is_no_token(auth: ServedAuth, world: ProxyWorld) -> None:
    with auth.running():
        assert Person(world.url, auth.world.service.log_in(ANN)).refused("GET", "/v1/runs")[0] == 401


def test_requests_at_once_with_one_token_are_one_question(auth: ServedAuth, world: ProxyWorld) -> None:
    ann = Person(world.url, auth.world.file_token("ann", "read"))
    with auth.running():
        threads = [threading.Thread(target=ann.get, args=["/v1/runs"]) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(auth.asked) <= 3


@pytest.mark.slow
def test_a_flood_of_wrong_tokens_does_not_reach_it_and_right_ones_get_in(auth: ServedAuth, world: ProxyWorld) -> None:
    ann = Person(world.url, auth.world.file_token("ann", "read"))
    with auth.running():
        began = time.monotonic()
        answers = [Person(world.url, f"dppctl_{n}").ask("GET", "/v1/runs").status_code for n in range(100)]
        took = time.monotonic() - began
        assert (answers[0], answers[WRONG_TOKENS], answers[-1]) == (401, 429, 429)
        assert len(auth.asked) <= WRONG_TOKENS + UNKNOWN_TOKENS_A_SECOND * (took + 1)
        time.sleep(1)  # then somebody from the same address is asked about again
        assert ann.get("/v1/runs") == {"runs": []}


def test_one_that_says_nothing_keeps_nobody_waiting_for_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.accounts.ACCOUNTS_ANSWER_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent, ExecApi().serving() as api:
        place = AuthPlace(f"http://127.0.0.1:{silent.getsockname()[1]}")
        world = ProxyWorld(tmp_path, kubeconfig_of(tmp_path, api.url), "runs", "http://127.0.0.1:9", place)
        with world.running(), ThreadPoolExecutor(20) as threads:
            began = time.monotonic()
            people = [Person(world.url, f"dppctl_{number}") for number in range(20)]
            answers = list(threads.map(lambda person: person.ask("GET", "/v1/runs").json()["code"], people))
            assert set(answers) == {"auth-away"}
            assert time.monotonic() - began < 3 * BUSY, "eight at a time"
            assert requests.get(f"{world.url}/healthz", timeout=5).ok
