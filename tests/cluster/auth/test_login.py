"""Login by a token, sessions, and what is refused of forms, cookies, paths and hosts."""

import os
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.model.account import SESSION_COOKIE
from cluster.auth.limits import WRONG_LOGINS
from cluster.auth.web import local_path
from tests.support.auth import PUBLIC, AuthWorld, Browser


def log_in(world: AuthWorld, token: str, following: str = "/") -> Browser:
    browser = world.browser()
    browser.get("/auth/login", next=following)
    browser.post("/auth/login/token", token=token, next=following)
    return browser


def test_a_login_by_token_gives_a_session_that_may_what_the_token_may(world: AuthWorld) -> None:
    browser = world.browser()
    assert browser.get("/auth/login", next="/deployments/7?a=b").status_code == 200
    answer = browser.post(
        "/auth/login/token", token=world.file_token("ann", "read", "deploy"), next="/deployments/7?a=b"
    )
    assert (answer.status_code, answer.headers["Location"]) == (303, "/deployments/7?a=b")
    cookie = next(line for line in answer.headers.getlist("Set-Cookie") if line.startswith(f"{SESSION_COOKIE}="))
    assert {part.strip() for part in cookie.split(";")[1:]} >= {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"}
    assert "Domain" not in cookie
    account = world.service.identify(browser.session)
    assert account
    assert (account.user, account.login) == ("token:ann", "ann")
    assert account.scopes == {"read", "deploy"}
    assert account.csrf
    assert account.csrf == world.introspect(browser.session)["csrf"]
    assert "You are logged in as <strong>ann</strong>" in browser.get("/auth/login").text


def test_the_session_ends_with_its_token(world: AuthWorld) -> None:
    browser = log_in(world, world.file_token("ann", "read"))
    assert world.service.identify(browser.session)
    world.revoke_file_token("ann")
    assert world.service.identify(browser.session) is None


def test_a_cookie_that_was_stolen_is_worth_nothing_after_the_logout(world: AuthWorld) -> None:
    browser = log_in(world, world.file_token("ann", "read"))
    stolen = browser.session
    browser.get("/auth/login")
    answer = browser.post("/auth/logout")
    assert (answer.status_code, answer.headers["Location"], browser.session) == (303, "/", "")
    assert world.introspect(stolen) == {"active": False}
    assert "You are logged in" not in world.browser(stolen).get("/auth/login").text


def test_a_session_ends_after_12_idle_hours_and_after_7_days(world: AuthWorld) -> None:
    session = log_in(world, world.file_token("ann", "read")).session
    for _ in range(15):
        world.wait(hours=11)
        assert world.introspect(session)["active"]
    world.wait(hours=11)  # 176 hours, and it was used all the time
    assert world.introspect(session) == {"active": False}
    session = log_in(world, world.tokens["ann"]).session
    world.wait(hours=12)
    assert world.introspect(session) == {"active": False}


def test_a_login_begins_a_new_session_in_place_of_the_one_that_was_there(world: AuthWorld) -> None:
    """Session fixation: https://owasp.org/www-community/attacks/Session_fixation."""
    world.file_token("eve", "read")
    planted = log_in(world, world.tokens["eve"]).session
    victim = world.browser(planted)
    victim.get("/auth/login")
    victim.post("/auth/login/token", token=world.file_token("ann", "read"))
    account = world.service.identify(victim.session)
    assert account
    assert account.user == "token:ann"
    assert victim.session != planted
    assert world.introspect(planted) == {"active": False}
    chosen = world.browser("a-value-of-eves")
    chosen.get("/auth/login")
    chosen.post("/auth/login/token", token=world.tokens["ann"])
    assert chosen.session != "a-value-of-eves"


def test_a_wrong_token_lets_nobody_in_and_many_are_slowed_down(world: AuthWorld) -> None:
    right = world.file_token("ann", "read")
    browser = world.browser()
    browser.get("/auth/login")
    for _ in range(WRONG_LOGINS):
        answer = browser.post("/auth/login/token", token="dppctl_wrong", next="/apps")
        assert (answer.status_code, browser.session) == (403, "")
        assert "not known here" in answer.text
        assert 'value="/apps"' in answer.text
    csrf = browser.csrf
    assert browser.post("/auth/login/token", csrf, token="dppctl_wrong").status_code == 429
    assert browser.post("/auth/login/token", csrf, token=right).status_code == 303
    world.wait(seconds=61)
    browser = world.browser()
    browser.get("/auth/login")
    assert browser.post("/auth/login/token", token="dppctl_wrong").status_code == 403


def test_a_session_is_no_token_to_log_in_with(world: AuthWorld) -> None:
    session = log_in(world, world.file_token("ann", "read")).session
    assert log_in(world, session).session == ""
    assert world.ask("/tokens", bearer=session, method="GET").status_code == 409


@pytest.mark.parametrize("csrf", ["", "guessed", "of another session"])
def test_a_form_without_the_mark_of_its_session_is_refused(world: AuthWorld, csrf: str) -> None:
    token = world.file_token("ann", "read")
    browser, other = log_in(world, token), log_in(world, token)
    if csrf == "of another session":
        account = world.service.identify(other.session)
        assert account
        csrf = account.csrf
    assert browser.post("/auth/logout", csrf=csrf).status_code == 403
    assert world.service.identify(browser.session)
    stranger = world.browser()
    stranger.get("/auth/login")
    assert stranger.post("/auth/login/token", csrf=csrf, token=token).status_code == 403
    assert stranger.session == ""


@pytest.mark.parametrize(
    "text",
    [
        "//evil.example", "https://evil.example", "/\\evil.example", "\\\\evil.example", "/\t/evil.example", "evil",
        "/a\r\nSet-Cookie: a=b", "///evil.example", "javascript:alert(1)", "", None, "/ /evil", "/" + "a" * 2000,
        "/a\\b",
    ],
)  # fmt: skip
def test_a_login_leads_to_a_path_of_this_host_only(text: str | None) -> None:
    assert local_path(text) == "/"


@pytest.mark.parametrize(
    "text", ["/", "/deployments/7", "/apps/a/b?c=d&e=%2F%2Fx#f", "/auth/device?user_code=ABCD-EFGH"]
)
def test_a_local_path_stays(text: str) -> None:
    assert local_path(text) == text


@pytest.mark.fuzz
@pytest.mark.slow
@settings(max_examples=int(os.environ.get("FUZZ_EXAMPLES", "200")), deadline=None)
@given(st.text(alphabet=st.sampled_from("/\\:.@?#%2Fehttps\t\n\r\x00 \u3002\uff0f")) | st.text())
def test_no_text_leads_to_another_host(text: str) -> None:
    path = local_path(text)
    assert urlsplit(urljoin("https://dppctl.example.org/auth/login", path)).netloc == "dppctl.example.org"
    assert not path.startswith(("//", "/\\"))
    assert "\r" not in path
    assert "\n" not in path


def test_an_open_redirect_is_not_one(world: AuthWorld) -> None:
    token = world.file_token("ann", "read")
    browser = world.browser()
    browser.get("/auth/login", next="//evil.example")
    assert "evil" not in browser.page
    assert browser.post("/auth/login/token", token=token, next="https://evil.example").headers["Location"] == "/"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        (PUBLIC, 200), ("http://localhost:8092", 200), ("https://evil.example", 403),
        ("https://dppctl.example.org.evil.example", 403),
    ],
)  # fmt: skip
def test_pages_answer_to_known_hosts_only(world: AuthWorld, host: str, status: int) -> None:
    answer = world.browser(base_url=host).get("/auth/login")
    assert answer.status_code == status
    assert "Set-Cookie" not in answer.headers or status == 200


def test_without_encryption_there_is_no_login_and_the_page_says_so(tmp_path: Path) -> None:
    world = AuthWorld(tmp_path, public_url="http://dppctl.example.org", hosts=("dppctl.example.org",))
    browser = world.browser(base_url="http://dppctl.example.org")
    answer = browser.get("/auth/login")
    assert answer.status_code == 400
    assert "let DPPCTL_PUBLIC_URL be https" in answer.text
    assert browser.post("/auth/login/token", token=world.file_token("ann", "read")).status_code == 400
    world.service.close()


def test_every_page_is_protected_by_its_headers(world: AuthWorld) -> None:
    browser = world.browser()
    for answer in (browser.get("/auth/login"), browser.post("/auth/logout"), browser.get("/auth/none")):
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "form-action 'self'" in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"


def test_in_mode_none_the_page_says_that_there_is_no_login(tmp_path: Path) -> None:
    world = AuthWorld(tmp_path, mode="none")
    browser = world.browser()
    assert "no login" in browser.get("/auth/login").text
    browser.post("/auth/login/token", token=world.file_token("ann", "read"))
    assert browser.session == ""
    assert browser.get("/auth/device").status_code == 404
    for path in ("/device/code", "/token"):
        assert world.ask(path, bearer="", data={"client_id": "dppctl"}).status_code == 404
    world.service.close()


def test_a_login_page_that_is_loaded_again_has_its_time_anew(world: AuthWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = world.browser()
    browser.get("/auth/login")
    answer = browser.get("/auth/login")
    assert any(line.startswith("__Host-dppctl-login=") for line in answer.headers.getlist("Set-Cookie"))
    monkeypatch.setitem(world.app.config, "PERMANENT_SESSION_LIFETIME", -1)
    assert browser.post("/auth/login/token", token=world.file_token("ann", "read")).status_code == 403
