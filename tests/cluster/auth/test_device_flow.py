"""The device flow, RFC 8628: a code is typed, somebody allows it, the device has a token once."""

import logging
import threading
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from werkzeug.test import TestResponse

from bot.logs import configure
from cluster.auth.limits import WRONG_CODES
from tests.support.auth import PUBLIC, AuthWorld, Browser

GRANT = "urn:ietf:params:oauth:grant-type:device_code"


class Device:
    """What `dppctl login` does."""

    def __init__(self, world: AuthWorld, name: str = "ann's laptop", scope: str = "read run ssh") -> None:
        self._world = world
        began = world.ask("/device/code", bearer="", data={"client_id": "dppctl", "scope": scope, "name": name})
        assert began.status_code == 200, began.text
        assert began.json
        self.began = began.json
        self.user_code: str = self.began["user_code"]

    def poll(self, **changes: str) -> TestResponse:
        data = {"grant_type": GRANT, "client_id": "dppctl", "device_code": self.began["device_code"], **changes}
        return self._world.ask("/token", bearer="", data=data)

    def error(self) -> str:
        answer = self.poll()
        assert (answer.status_code, answer.headers["Content-Type"]) == (400, "application/json")
        assert answer.json
        return str(answer.json["error"])


@pytest.fixture(autouse=True)
def _as_a_server_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may have set it; with it Authlib takes plain http."""
    monkeypatch.delenv("AUTHLIB_INSECURE_TRANSPORT", raising=False)


@pytest.fixture
def ann(world: AuthWorld) -> Browser:
    """Logged in, with the page for codes open."""
    browser = world.browser()
    browser.get("/auth/login")
    browser.post("/auth/login/token", token=world.file_token("ann", "read", "run", "deploy"))
    browser.get("/auth/device")
    return browser


def allow(browser: Browser, device: Device, decision: str = "allow") -> TestResponse:
    browser.get("/auth/device")
    browser.post("/auth/device", user_code=device.user_code)
    return browser.post("/auth/device", user_code=device.user_code, decision=decision)


def test_a_device_is_let_in_by_the_code_that_a_person_types(world: AuthWorld, ann: Browser) -> None:
    device = Device(world)
    assert device.began["verification_uri"] == f"{PUBLIC}/auth/device"
    assert (device.began["expires_in"], device.began["interval"]) == (600, 5)
    assert device.error() == "authorization_pending"
    world.wait(seconds=70)
    page = ann.post("/auth/device", user_code=f" {device.user_code.lower().replace('-', ' ')} ").text
    assert "ann&#39;s laptop" in page
    assert "<dd>127.0.0.1</dd>" in page
    assert "70 seconds ago" in page
    assert "<dd>read, run</dd>" in page
    assert "ssh: it asks for that, and you may not" in page
    assert device.error() == "authorization_pending"
    assert "Allowed" in ann.post("/auth/device", user_code=device.user_code, decision="allow").text
    answer = device.poll().json
    assert answer
    assert {**answer, "access_token": ""} == {
        "access_token": "", "token_type": "Bearer", "expires_in": 90 * 86_400, "scope": "read run",
    }  # fmt: skip
    said = world.introspect(answer["access_token"])
    assert (said["sub"], said["name"], said["scope"]) == ("token:ann", "ann's laptop", "read run")


def test_a_code_gives_one_token_only(world: AuthWorld, ann: Browser) -> None:
    device = Device(world)
    allow(ann, device)
    assert device.poll().status_code == 200
    again = device.poll()
    assert again.status_code == 400
    assert "access_token" not in again.text


def test_of_many_polls_at_once_one_gets_the_token(world: AuthWorld, ann: Browser) -> None:
    device = Device(world)
    allow(ann, device)
    codes: list[int] = []
    threads = [threading.Thread(target=lambda: codes.append(device.poll().status_code)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [200] + [400] * 7


def test_who_polls_too_often_has_to_wait_longer_each_time(world: AuthWorld) -> None:
    device = Device(world)
    assert device.error() == "authorization_pending"
    assert device.error() == "slow_down"  # now 10 s
    world.wait(seconds=6)
    assert device.error() == "slow_down"  # now 15 s
    world.wait(seconds=11)
    assert device.error() == "slow_down"  # now 20 s
    world.wait(seconds=20)
    assert device.error() == "authorization_pending"


@pytest.fixture
def all_logged() -> Iterator[list[str]]:
    """Whatever is logged by anything, at DEBUG."""
    configure([])  # as a server does
    lines: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    root, handler = logging.getLogger(), Keep(logging.DEBUG)
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield lines
    root.removeHandler(handler)
    root.setLevel(before)


def test_no_token_and_no_code_is_in_any_log(
    world: AuthWorld, ann: Browser, all_logged: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    device = Device(world)
    allow(ann, device)
    answer = device.poll().json
    assert answer
    logging.getLogger("a.library").debug("heard")
    logged = "\n".join([*all_logged, *capsys.readouterr()])
    assert "heard" in logged
    assert "a device is let in" in logged
    for secret in (answer["access_token"], device.began["device_code"], device.user_code, world.tokens["ann"]):
        assert secret not in logged


def test_a_server_behind_what_ends_tls_hears_plain_http(world: AuthWorld, ann: Browser) -> None:
    """Authlib refuses plain http, unless a variable for tests is set: here it is not."""
    device = Device(world)  # asks http://dppctl-auth:8092
    allow(ann, device)
    assert device.poll().status_code == 200


def test_a_code_ends_after_ten_minutes(world: AuthWorld, ann: Browser) -> None:
    device = Device(world)
    world.wait(seconds=600)
    assert device.error() == "expired_token"
    assert "No machine waits" in allow(ann, device).text
    world.wait(seconds=601)
    Device(world)
    assert device.error() == "invalid_request"  # it is forgotten


def test_denied_is_denied(world: AuthWorld, ann: Browser) -> None:
    device = Device(world)
    assert "is not let in" in allow(ann, device, "deny").text
    assert device.error() == "access_denied"
    assert "No machine waits" in allow(ann, device, "allow").text
    assert device.error() == "access_denied"


def test_a_code_in_the_address_is_filled_in_and_approves_nothing(world: AuthWorld, ann: Browser) -> None:
    device = Device(world)
    page = ann.get("/auth/device", user_code=device.user_code).text
    assert f'value="{device.user_code}"' in page
    assert "ann&#39;s laptop" not in page
    ann.get("/auth/device", user_code=device.user_code, decision="allow")
    assert device.error() == "authorization_pending"


def test_who_is_not_logged_in_comes_back_with_the_code_after_the_login(world: AuthWorld) -> None:
    device = Device(world)
    stranger = world.browser()
    location = stranger.get("/auth/device", user_code=device.user_code).headers["Location"]
    assert parse_qs(urlsplit(location).query)["next"] == [f"/auth/device?user_code={device.user_code}"]
    stranger.get(location)
    following = parse_qs(urlsplit(location).query)["next"][0]
    answer = stranger.post("/auth/login/token", token=world.file_token("ben", "read"), next=following)
    assert answer.headers["Location"] == following


def test_a_decision_without_the_mark_of_the_session_counts_for_nothing(world: AuthWorld, ann: Browser) -> None:
    device = Device(world)
    for csrf in ("", "guessed"):
        assert ann.post("/auth/device", csrf=csrf, user_code=device.user_code, decision="allow").status_code == 403
    stranger = world.browser()
    stranger.get("/auth/login")
    assert stranger.post("/auth/device", user_code=device.user_code, decision="allow").status_code == 303
    assert device.error() == "authorization_pending"


def test_five_wrong_codes_a_minute_are_enough(world: AuthWorld, ann: Browser) -> None:
    device = Device(world)
    csrf = ann.csrf
    for _ in range(WRONG_CODES):
        assert ann.post("/auth/device", user_code="BBBB-BBBB").status_code == 400
    for decision in ("", "allow"):
        assert ann.post("/auth/device", csrf, user_code=device.user_code, decision=decision).status_code == 429
    world.address = "203.0.113.7"  # the same session from elsewhere
    assert ann.post("/auth/device", csrf, user_code=device.user_code).status_code == 429
    world.address = "127.0.0.1"
    ben = world.browser()  # from the same address
    ben.get("/auth/login")
    ben.post("/auth/login/token", token=world.file_token("ben", "read"))
    ben.get("/auth/device")
    assert ben.post("/auth/device", user_code=device.user_code).status_code == 429
    world.wait(seconds=61)
    assert allow(ann, device).status_code == 200


def test_who_is_let_in_may_no_more_than_who_let_him_in(world: AuthWorld, ann: Browser) -> None:
    device = Device(world, scope="read run admin")
    allow(ann, device)
    world.revoke_file_token("ann")
    assert device.error() == "invalid_grant"  # ann may nothing any more
    world.file_token("ann again", "read", "admin", user="ann")
    browser = world.browser()
    browser.get("/auth/login")
    browser.post("/auth/login/token", token=world.file_token("small", "read", user="ann"))
    device = Device(world, scope="read admin")
    allow(browser, device)
    answer = device.poll().json
    assert answer
    assert answer["scope"] == "read"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"client_id": "another"}, "invalid_client"),
        ({"client_id": ""}, "invalid_client"),
        ({"scope": "read everything"}, "invalid_scope"),
        ({"name": ""}, "invalid_request"),
        ({"name": "a\nb"}, "invalid_request"),
        ({"name": "a" * 101}, "invalid_request"),
    ],
)
def test_a_wrong_request_for_a_code_is_refused(world: AuthWorld, changes: dict[str, str], error: str) -> None:
    data = {"client_id": "dppctl", "scope": "read", "name": "laptop", **changes}
    answer = world.ask("/device/code", bearer="", data=data)
    assert answer.status_code in (400, 401)
    assert answer.json
    assert answer.json["error"] == error


def test_a_wrong_poll_is_refused(world: AuthWorld, ann: Browser) -> None:
    device = Device(world)
    allow(ann, device)
    for changes, error in [
        ({"device_code": "guessed"}, "invalid_request"),
        ({"device_code": ""}, "invalid_request"),
        ({"client_id": "another"}, "invalid_client"),
        ({"grant_type": "authorization_code"}, "unsupported_grant_type"),
    ]:
        answer = device.poll(**changes)
        assert answer.json
        assert answer.json["error"] == error
    assert device.poll().status_code == 200


def test_a_stolen_database_has_no_codes(world: AuthWorld) -> None:
    device = Device(world)
    with world.service.database.connect() as connection:
        kept = str(connection.exec_driver_sql("SELECT * FROM device_codes").all())
    assert "laptop" in kept
    for code in (device.began["device_code"], device.user_code, device.user_code.replace("-", "")):
        assert code not in kept
