"""Login at GitHub: OAuth 2.0 with state and PKCE, known by the number, let in by lists."""

import logging
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from werkzeug.test import TestResponse

from bot.logs import configure
from cluster.auth.admission import Lists
from cluster.auth.options import GitHubAddresses, OAuthProvider
from tests.support.auth import PUBLIC, AuthWorld, Browser
from tests.support.github.fake import FakeGitHub

pytestmark = pytest.mark.needs("npm")
CALLBACK = "/auth/callback/github"


@pytest.fixture
def world(tmp_path: Path, github: FakeGitHub) -> Iterator[AuthWorld]:
    """OriHoch and ben have accounts at GitHub; the lists name OriHoch."""
    github.user("OriHoch")
    github.user("ben")
    github.oauth.callback = f"{PUBLIC}{CALLBACK}"
    github.oauth.visitor = "OriHoch"
    app = OAuthProvider("github", "GitHub", github.oauth.client_id, github.oauth.client_secret)
    place = GitHubAddresses(github.url, github.api_url)
    world = AuthWorld(tmp_path, mode="oauth", providers=(app,), github=place, lists=Lists(users=("OriHoch",)))
    yield world
    world.service.close()


def leave(browser: Browser, following: str = "/") -> str:
    """To GitHub, and where that leads back to."""
    browser.get("/auth/login", next=following)
    there = browser.get("/auth/login/github", next=following).headers["Location"]
    back = requests.get(there, allow_redirects=False, timeout=10).headers["Location"]
    assert back.startswith(PUBLIC)
    return back.removeprefix(PUBLIC)


def log_in(browser: Browser, following: str = "/") -> TestResponse:
    return browser.get(leave(browser, following))


def test_who_logs_in_at_github_is_known_by_the_number(world: AuthWorld, github: FakeGitHub) -> None:
    browser = world.browser()
    answer = log_in(browser, "/deployments/7")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/deployments/7")
    account = world.service.identify(browser.session)
    assert account
    assert (account.user, account.login) == (f"github:{github.users['OriHoch']}", "OriHoch")
    assert account.scopes == {"read", "run", "deploy", "ssh"}
    assert github.oauth.asked_scopes == [""]
    assert not github.count("/user/orgs")


def test_the_way_to_github_has_state_and_a_challenge_and_no_secret(world: AuthWorld, github: FakeGitHub) -> None:
    there = urlsplit(world.browser().get("/auth/login/github").headers["Location"])
    query = parse_qs(there.query)
    assert (query["code_challenge_method"], query["redirect_uri"]) == (["S256"], [f"{PUBLIC}{CALLBACK}"])
    assert len(query["state"][0]) >= 30
    assert github.oauth.client_secret not in there.query


def test_organisations_are_asked_for_when_a_list_names_one(world: AuthWorld, github: FakeGitHub) -> None:
    github.organization("hasadna", "OriHoch")
    world.with_options(lists=Lists(organizations=("hasadna",), admins=("org:nobody",)))
    browser = world.browser()
    assert log_in(browser).status_code == 303
    account = world.service.identify(browser.session)
    assert account
    assert account.groups == {"org:hasadna"}
    assert github.oauth.asked_scopes == ["read:org"]
    github.oauth.visitor = "ben"
    assert log_in(world.browser()).status_code == 403


def test_who_is_on_no_list_is_told_how_to_get_on_one_and_nothing_is_kept(world: AuthWorld, github: FakeGitHub) -> None:
    github.oauth.visitor = "ben"
    browser = world.browser()
    answer = log_in(browser)
    assert (answer.status_code, browser.session) == (403, "")
    assert f"ben (github:{github.users['ben']}) is on no list" in answer.text
    with world.service.database.connect() as connection:
        assert connection.exec_driver_sql("SELECT * FROM people, login_names").all() == []


def test_a_login_that_changed_hands_is_another_person(world: AuthWorld, github: FakeGitHub) -> None:
    first = world.browser()
    log_in(first)
    old = github.users["OriHoch"]
    github.users["OriHoch"] = github.number()
    answer = log_in(world.browser())
    assert answer.status_code == 403
    assert "somebody else&#39;s before" in answer.text
    account = world.service.identify(first.session)
    assert account
    assert account.user == f"github:{old}"
    world.with_options(lists=Lists(users=(f"github:{github.users['OriHoch']}",)))
    later = world.browser()
    assert log_in(later).status_code == 303
    account = world.service.identify(later.session)
    assert account
    assert account.user == f"github:{github.users['OriHoch']}"
    assert world.service.identify(first.session) is None


def test_a_code_counts_once(world: AuthWorld) -> None:
    browser = world.browser()
    back = leave(browser)
    assert browser.get(back).status_code == 303
    session = browser.session
    again = browser.get(back)
    assert again.status_code == 400
    assert "not begun in this browser" in again.text
    assert browser.session == session


def test_a_code_of_somebody_elses_login_is_refused(world: AuthWorld, github: FakeGitHub) -> None:
    """Login CSRF: eve sends ann the address that GitHub led eve back to."""
    eve, ann = world.browser(), world.browser()
    back = leave(eve)
    ann.get("/auth/login")
    for address in (back, back.split("&state=")[0], f"{CALLBACK}?state=guessed&code=a", CALLBACK):
        assert ann.get(address).status_code == 400
        assert ann.session == ""
    assert not github.count("/user$")


def test_a_login_that_takes_too_long_begins_again(world: AuthWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = world.browser()
    back = leave(browser)
    monkeypatch.setitem(world.app.config, "PERMANENT_SESSION_LIFETIME", -1)
    assert browser.get(back).status_code == 400


def test_what_github_says_of_an_error_is_not_shown_as_it_is(world: AuthWorld, github: FakeGitHub) -> None:
    github.oauth.error = "access_denied"
    browser = world.browser()
    answer = log_in(browser)
    assert (answer.status_code, browser.session) == (400, "")
    assert "the login at GitHub was refused there" in answer.text
    assert "denied your access" not in answer.text
    answer = browser.get(f"{CALLBACK}?error=<script>&error_description=call+0123")
    assert answer.status_code == 400
    assert "script" not in answer.text
    assert "0123" not in answer.text


def test_a_wrong_secret_and_a_github_that_is_away_let_nobody_in(world: AuthWorld, github: FakeGitHub) -> None:
    browser = world.browser()
    back = leave(browser)
    github.oauth.client_secret = "another"
    answer = browser.get(back)
    assert (answer.status_code, browser.session) == (400, "")
    assert "incorrect_client_credentials" in answer.text
    world.with_options(github=GitHubAddresses("http://127.0.0.1:1", "http://127.0.0.1:1"))
    browser = world.browser()
    there = browser.get("/auth/login/github").headers["Location"]
    answer = browser.get(f"{CALLBACK}?code=a&state={parse_qs(urlsplit(there).query)['state'][0]}")
    assert (answer.status_code, answer.headers["Retry-After"], browser.session) == (503, "10", "")


def test_the_token_of_github_is_kept_encrypted_and_is_in_no_log(
    world: AuthWorld, github: FakeGitHub, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    configure([])  # as a server does
    caplog.set_level(logging.DEBUG)
    browser = world.browser()
    log_in(browser)
    (token,) = [name for name in github.tokens if name.startswith("gho_")]
    with world.service.database.connect() as connection:
        (kept,) = connection.exec_driver_sql("SELECT github_token FROM people").one()
    assert token not in kept
    assert world.service.keys.decrypt(kept) == token
    logged = capsys.readouterr().err + caplog.text
    assert 'event="logged in"' in logged
    assert token not in logged
    assert "code_verifier" not in logged
    assert browser.session not in logged


def test_the_token_of_github_is_forgotten_when_its_person_is_gone(world: AuthWorld, github: FakeGitHub) -> None:
    log_in(world.browser())
    world.wait(days=8)
    github.oauth.visitor = "ben"
    world.with_options(lists=Lists(users=("OriHoch", "ben")))
    log_in(world.browser())
    with world.service.database.connect() as connection:
        kept = dict(connection.exec_driver_sql("SELECT login, github_token FROM people").all())
    assert kept["OriHoch"] is None
    assert kept["ben"]


def test_another_provider_is_not_there(world: AuthWorld) -> None:
    for path in ("/auth/login/google", "/auth/callback/oidc?code=a&state=b", "/auth/login/../x"):
        assert world.browser().get(path).status_code == 404
    browser = world.browser()
    browser.get("/auth/login")
    assert browser.post("/auth/login/token", token=world.file_token("ann", "read")).status_code == 404


def test_an_open_redirect_through_the_login_is_not_one(world: AuthWorld) -> None:
    browser = world.browser()
    browser.get("/auth/login/github", next="//evil.example")
    assert log_in(browser, "https://evil.example").headers["Location"] == "/"
