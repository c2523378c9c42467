"""`dppctl login`, `logout` and `token` where an auth server knows people: its own application, a proxy, a person."""

import json
import os
import platform
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from cli.remote.auth import AuthClient
from cli.remote.clusters import NamedCluster, add_cluster, use_cluster
from cli.remote.device_flow import log_in, open_browser
from cli.remote.errors import ProxyAwayError
from cli.remote.tokens import keep_token, kept_token
from cluster.auth.admission import Lists
from tests.support.auth import ANN, AuthWorld
from tests.support.auth_server import ServedAuth
from tests.support.stories.device_login import Minutes
from tests.support.stories.proxy_world import AuthPlace, ProxyWorld

pytestmark = [pytest.mark.needs("an API server"), pytest.mark.slow]
Person = Callable[..., str]


@pytest.fixture(scope="module")
def auth(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedAuth]:
    world = AuthWorld(tmp_path_factory.mktemp("auth"), mode="oauth", lists=Lists(users=(ANN.user,)))
    with closing(world.service), ServedAuth(world).running() as served:
        yield served


@pytest.fixture(scope="module")
def office(auth: ServedAuth, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxyWorld]:
    """A proxy that asks it."""
    folder = tmp_path_factory.mktemp("proxy")
    place = AuthPlace(auth.url, "oauth")
    world = ProxyWorld(folder, os.environ["DPPCTL_TEST_KUBECONFIG"], "default", "http://127.0.0.1:9", place)
    with world.running():
        yield world


@pytest.fixture
def known(office: ProxyWorld, settings_folder: Path) -> None:
    """The proxy is the cluster that the person has chosen."""
    assert settings_folder
    add_cluster(NamedCluster("office", office.url))
    use_cluster("office")


@pytest.fixture
def minutes(auth: ServedAuth, monkeypatch: pytest.MonkeyPatch) -> Minutes:
    made = Minutes(auth)
    monkeypatch.setattr("cli.remote.device_flow.time", made)
    monkeypatch.setattr("cli.commands.login._note", made.shown.append)
    return made


@pytest.mark.usefixtures("known")
def test_a_login_by_a_browser_leaves_a_token_that_works_until_the_logout(
    auth: ServedAuth, person: Person, minutes: Minutes
) -> None:
    minutes.decides = lambda number: minutes.decide("allow") if number == 3 else None
    said = person("login")
    assert said.startswith("Logged in to office as OriHoch (github:583231) (read, run, deploy, ssh)\n")
    assert minutes.shown[0].startswith("Open https://dppctl.example.org/auth/device and enter the code ")
    assert minutes.slept == [6.0, 6.0, 6.0], "slower than the interval of five seconds that was asked for"
    token = kept_token("office")
    about = auth.world.introspect(token)
    assert (about["sub"], about["name"], about["scope"]) == (ANN.user, platform.node(), "read run deploy ssh")
    assert "OriHoch (github:583231)" in person("use")
    assert token not in said + str(minutes.shown)
    assert person("logout") == "Logged out of office: its token is revoked, and forgotten here\n"
    assert auth.world.introspect(token) == {"active": False}
    assert "OriHoch" not in person("use")


@pytest.mark.usefixtures("known")
def test_what_ends_a_login_is_one_line_and_keeps_nothing(
    person: Person, minutes: Minutes, monkeypatch: pytest.MonkeyPatch
) -> None:
    minutes.decides = lambda _: minutes.decide("deny")
    assert person("login") == "refused: it was denied on the page; no token was made"
    with monkeypatch.context() as patched:
        patched.setattr("cluster.auth.device_codes.DEVICE_CODE_SECONDS", 60)
        patched.setattr("cluster.auth.device_flow._CodeEndpoint.EXPIRES_IN", 60)
        minutes.decides = lambda _: None
        said = person("login", "--scope", "read")
        assert said == "refused: nobody entered the code in time; `dppctl login` again gets another one"
    with monkeypatch.context() as patched:
        patched.setattr("cli.remote.device_flow.POLL_FACTOR", 0.2)
        before = len(minutes.slept)
        minutes.decides = lambda number: minutes.decide("deny") if number == before + 4 else None
        minutes.shown.clear()
        assert person("login").startswith("refused: it was denied")
        assert minutes.slept[before:] == pytest.approx([1.0, 1.0, 2.0, 3.0]), "5 s more each time that it is told so"
    minutes.decides = _press_ctrl_c
    assert person("login").strip() == "Aborted!\nexit code 1"
    assert kept_token("office") == ""


def _press_ctrl_c(_: int) -> None:
    raise KeyboardInterrupt


def test_an_auth_server_that_restarts_meanwhile_is_asked_again_and_one_that_stays_away_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = AuthWorld(tmp_path, mode="oauth", lists=Lists(users=(ANN.user,)))
    served = ServedAuth(world)
    minutes = Minutes(served)
    monkeypatch.setattr("cli.remote.device_flow.time", minutes)
    with closing(world.service), ExitStack() as up:
        up.enter_context(served.running())

        def restart(number: int) -> None:
            if number == 1:
                up.close()
            elif number == 3:
                up.enter_context(served.running())
                minutes.decide("allow")
            elif number == 4:
                up.close()

        minutes.decides = restart
        with AuthClient("office", f"{served.url}/auth") as auth:
            assert log_in(auth, ("read",), minutes.shown.append, lambda _: False).startswith("dppctl_")
            assert minutes.slept == [6.0, 12.0, 18.0]
            minutes.shown.clear()
            with pytest.raises(ProxyAwayError, match="the cluster office does not answer at "):
                log_in(auth, ("read",), minutes.shown.append, lambda _: False)


def test_a_browser_is_opened_where_a_person_sits_before_a_screen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "browser"
    script.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/opened\n')
    script.chmod(0o755)
    monkeypatch.setattr(webbrowser, "_tryorder", None)
    monkeypatch.setenv("BROWSER", f"{script} %s")
    assert not open_browser("https://dppctl.example.org/auth/device")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    assert open_browser("https://dppctl.example.org/auth/device")
    assert (tmp_path / "opened").read_text() == "https://dppctl.example.org/auth/device\n"


@pytest.mark.usefixtures("known")
def test_tokens_of_ones_own_are_made_listed_and_revoked(auth: ServedAuth, person: Person) -> None:
    keep_token("office", auth.world.file_token("ann", "read", "run"))
    made = person("token", "create", "ci", "--scope", "read", "--scope", "run", "--days", "30")
    assert made.startswith("The token 'ci' (read, run) until 2026-01-31; it is shown this once:\ndppctl_")
    token = made.splitlines()[1]
    head, row = person("token", "list", "-o", "table").splitlines()
    assert head.split() == ["ID", "NAME", "USER", "SCOPES", "CREATED", "LAST", "USED", "ENDS"]
    assert row.split()[1:5] == ["ci", "ann", "read,", "run"]
    (shown,) = json.loads(person("token", "list", "-o", "json"))
    assert (shown["id"], shown["user"], "token" in shown) == (row.split()[0], "token:ann", False)
    assert person("token", "create", "all", "--scope", "ssh").startswith("refused: scopes: you have no ssh yourself")
    assert person("token", "create", "a", "--user", "ben").startswith("refused: --user goes with --file")
    assert person("token", "revoke", "other") == "refused: you have no token 'other'; known: ci"

    said = person("login", "--with-token", stdin=f"{token}\n")
    assert said.startswith("Logged in to office as token:ann (read, run)\n")
    assert person("logout") == "Logged out of office: its token is revoked, and forgotten here\n"
    assert auth.world.introspect(token) == {"active": False}
    assert kept_token("office") == ""
    keep_token("office", auth.world.tokens["ann"])
    for _ in range(2):
        assert "dppctl_" in person("token", "create", "ci", "--scope", "read")
    assert person("token", "revoke", "ci").startswith("refused: there are 2 tokens 'ci'; name one by its id: ")
    for each in json.loads(person("token", "list", "-o", "json")):
        assert person("token", "revoke", each["id"]) == "The token 'ci' is revoked\n"
    assert person("logout").endswith("forgotten here; whoever made it can revoke it\n")


@pytest.mark.usefixtures("known")
def test_a_token_that_nobody_knows_is_told_and_forgotten(person: Person) -> None:
    keep_token("office", "dppctl_of-nobody")
    assert person("token", "list").endswith("(`dppctl login office` gets another token)")
    assert person("logout").endswith("its token is forgotten here; it was worth nothing any more\n")
