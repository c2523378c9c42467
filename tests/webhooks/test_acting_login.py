"""Acts from the pages where people log in: who may, and who is refused."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from werkzeug.test import Client

from bot.accounts import AccountsClient
from bot.model.account import SESSION_COOKIE, Scope
from cluster.auth.admission import Lists
from tests.support.auth import ANN, BEN, AuthWorld
from tests.support.pages import APP, PagesWorld, make_world
from webhooks.visitors import LoginVisitors

STAGING = {"app": APP, "environment": "staging"}


@pytest.fixture
def auth(tmp_path: Path) -> AuthWorld:
    deployers = {APP: ("token:ann", "token:eve", ANN.user)}
    return AuthWorld(tmp_path, public_url="", lists=Lists(users=(ANN.user, BEN.user)), deployers=deployers)


@pytest.fixture
def world(tmp_path: Path, auth: AuthWorld) -> Iterator[PagesWorld]:
    world = make_world(tmp_path, LoginVisitors(auth.service), mounts={"/auth": auth.app})
    yield world
    world.store.close()


def _browser(world: PagesWorld, auth: AuthWorld, name: str = "ann", *scopes: Scope) -> Client:
    """A browser in which somebody has logged in with a token of these scopes."""
    token = auth.tokens.get(name) or auth.file_token(name, *(scopes or ("read", "deploy")))
    session = auth.service.log_in_by_token(token)
    assert session
    client = world.client()
    client.set_cookie(SESSION_COOKIE, session, secure=True)
    return client


def _refused(world: PagesWorld, client: Client, code: int, said: str, **changes: str) -> None:
    """Sending a form (as the page had it, with changes) is refused and written down, and asks the bot for nothing."""
    before = len(world.events)
    answer = world.send(client, "hold", {**STAGING, "message": "x", "form": "0" * 32, **changes})
    assert (answer.status_code, said in answer.get_data(as_text=True)) == (code, True), answer.get_data(as_text=True)
    assert [event.outcome for event in world.events[before:]] == [str(code)]
    assert world.store.requests.take() == []


def test_who_has_logged_in_acts_with_a_name(world: PagesWorld, auth: AuthWorld) -> None:
    client = _browser(world, auth)
    assert world.actions(client) == ["Roll back", "Hold", "Deploy"]
    page = client.get("/").get_data(as_text=True)
    assert "<span>ann</span>" in page
    assert 'action="/auth/logout"' in page
    answer = world.send(client, "hold", {**world.fields(client, "hold"), "message": "elections"})
    assert answer.status_code == 303
    (request,) = world.store.requests.take()
    assert (request.by, request.login, request.reason) == ("token:ann", "ann", "elections")
    assert [(event.user, event.outcome) for event in world.events] == [("token:ann", "asked")]


def test_without_a_login_there_are_no_buttons_and_requests_are_refused(world: PagesWorld) -> None:
    client = world.client()
    assert world.actions(client) == []
    page = client.get(f"/apps/{APP}/staging").get_data(as_text=True)
    assert 'href="/auth/login?next=%2Fapps%2Fann%2Fapp%2Fstaging">Log in</a>' in page
    _refused(world, client, 403, "log in first")
    assert client.get("/acts/hold", query_string=STAGING).status_code == 403


def test_a_token_without_the_scope_is_refused(world: PagesWorld, auth: AuthWorld) -> None:
    client = _browser(world, auth, "ann", "read", "run")
    assert world.actions(client) == []
    assert "has no scope deploy" in client.get(f"/apps/{APP}/staging").get_data(as_text=True)
    _refused(world, client, 403, "has no scope deploy")


def test_who_may_not_deploy_the_app_is_refused(world: PagesWorld, auth: AuthWorld) -> None:
    client = _browser(world, auth, "ben")
    assert "You may not act here: " in client.get(f"/apps/{APP}/staging").get_data(as_text=True)
    _refused(world, client, 403, "does not name ben")


def test_a_form_without_the_session_s_mark_is_refused(world: PagesWorld, auth: AuthWorld) -> None:
    client, other = _browser(world, auth), _browser(world, auth, "eve")
    stolen = world.fields(other, "hold")["csrf"]
    for csrf in ("", "x", stolen):
        _refused(world, client, 403, "is of another login", csrf=csrf)


def test_a_cookie_after_the_logout_is_worth_nothing(world: PagesWorld, auth: AuthWorld) -> None:
    client = _browser(world, auth)
    stolen = client.get_cookie(SESSION_COOKIE)
    assert stolen
    fields = world.fields(client, "hold")
    left = client.post("/auth/logout", data={"csrf": fields["csrf"]})
    assert left.status_code == 303
    assert client.get_cookie(SESSION_COOKIE) is None
    thief = world.client()
    thief.set_cookie(SESSION_COOKIE, stolen.value, secure=True)
    assert world.actions(thief) == []
    _refused(world, thief, 403, "log in first", csrf=fields["csrf"])


def test_a_token_in_place_of_a_session_is_none(world: PagesWorld, auth: AuthWorld) -> None:
    client = world.client()
    client.set_cookie(SESSION_COOKIE, auth.file_token("ann", "read", "deploy"), secure=True)
    _refused(world, client, 403, "log in first")
    client.set_cookie(SESSION_COOKIE, "x" * 4000, secure=True)
    _refused(world, client, 403, "log in first")


def test_a_person_of_github_acts_where_a_list_says_so(world: PagesWorld, auth: AuthWorld) -> None:
    for identity, code in ((ANN, 200), (BEN, 403)):
        client = world.client()
        client.set_cookie(SESSION_COOKIE, auth.service.log_in(identity), secure=True)
        assert client.get("/acts/hold", query_string=STAGING).status_code == code


def test_while_the_auth_server_is_away_pages_are_read_and_nobody_acts(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("x")
    world = make_world(tmp_path, LoginVisitors(AccountsClient("http://127.0.0.1:1", tmp_path / "token")))
    client = world.client()
    client.set_cookie(SESSION_COOKIE, "x" * 43, secure=True)
    page = client.get(f"/apps/{APP}/staging")
    assert (page.status_code, "login server does not answer" in page.get_data(as_text=True)) == (200, True)
    _refused(world, client, 503, "does not answer")
    world.store.close()


def test_over_plain_http_there_is_no_login(tmp_path: Path, auth: AuthWorld) -> None:
    world = make_world(tmp_path, LoginVisitors(auth.service), ALLOWED_HOSTS="box.lan")
    client = _browser(world, auth)
    page = client.get("/", base_url="http://box.lan").get_data(as_text=True)
    assert "no login over plain http" in page
    assert "Log in" not in page
    world.store.close()


def test_pages_may_be_for_those_who_have_logged_in(tmp_path: Path, auth: AuthWorld) -> None:
    world = make_world(tmp_path, LoginVisitors(auth.service), PAGES="login")
    client = world.client()
    for path in ("/", "/deployments/1", "/deployments/1/log.txt", "/nothing/there"):
        answer = client.get(path)
        assert answer.status_code in (303, 404)
        assert "ann/app" not in answer.get_data(as_text=True)
    assert client.get("/deployments/1").headers["Location"] == "/auth/login?next=%2Fdeployments%2F1"
    assert client.get("/events").status_code == 401
    assert client.post("/acts/hold", data=STAGING).status_code == 401
    for path in ("/healthz", "/readyz", "/metrics", "/static/dppctl.css"):
        assert client.get(path).status_code == 200
    assert _browser(world, auth).get("/").status_code == 200
    assert _browser(world, auth, "robot", "run").get("/").status_code == 403
    world.store.close()
