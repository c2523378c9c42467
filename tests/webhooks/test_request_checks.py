"""Who is at this machine, and which requests our own pages sent."""

import pytest

from bot.local_requests import host_name, is_loopback, why_not_local
from webhooks.request_checks import why_not_own

LOCAL = {"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "localhost:8080", "HTTP_USER_AGENT": "a browser"}
OWN = {"HTTP_HOST": "localhost:8080", "HTTP_ORIGIN": "http://localhost:8080", "HTTP_SEC_FETCH_SITE": "same-origin"}


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8080", "127.0.0.1:1", "[::1]:8080"])
def test_a_person_at_this_machine_is_local(peer: str, host: str) -> None:
    assert why_not_local({**LOCAL, "REMOTE_ADDR": peer, "HTTP_HOST": host}) is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"REMOTE_ADDR": "10.0.0.7"}, "another machine"),
        ({"REMOTE_ADDR": "::ffff:10.0.0.7"}, "another machine"),
        ({"REMOTE_ADDR": ""}, "another machine"),
        ({"HTTP_HOST": "dppctl.example.org"}, "not opened as"),
        ({"HTTP_HOST": "localhost.example.org"}, "not opened as"),
        ({"HTTP_HOST": "127.0.0.1.example.org"}, "not opened as"),
        ({"HTTP_HOST": "[::1"}, "not opened as"),
        ({"HTTP_HOST": ""}, "not opened as"),
        *(({name: "x"}, "forwarded") for name in ("HTTP_FORWARDED", "HTTP_VIA", "HTTP_X_REAL_IP")),
        *(({f"HTTP_X_FORWARDED_{name}": ""}, "forwarded") for name in ("FOR", "HOST", "PROTO", "SERVER")),
    ],
)
def test_others_are_not(changes: dict[str, str], reason: str) -> None:
    """A reverse proxy or a tunnel on this machine makes nobody local."""
    assert reason in (why_not_local({**LOCAL, **changes}) or "")


@pytest.mark.parametrize("left_out", [(), ("HTTP_SEC_FETCH_SITE",), ("HTTP_ORIGIN",)])
def test_what_our_pages_send_is_ours(left_out: tuple[str, ...]) -> None:
    """Browsers without one of the headers, and those over plain http, are taken too."""
    assert why_not_own({name: value for name, value in OWN.items() if name not in left_out}) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"HTTP_SEC_FETCH_SITE": "cross-site"},
        {"HTTP_SEC_FETCH_SITE": "same-site"},  # another port of this machine
        {"HTTP_SEC_FETCH_SITE": "none"},
        {"HTTP_ORIGIN": "null"},
        {"HTTP_ORIGIN": "http://localhost:9999"},
        {"HTTP_ORIGIN": "http://evil.example"},
        {"HTTP_ORIGIN": "http://[::1"},
        {"HTTP_ORIGIN": ""},
    ],
)
def test_what_others_send_is_not(changes: dict[str, str]) -> None:
    assert why_not_own({**OWN, **changes})


def test_what_does_not_say_where_it_comes_from_is_not() -> None:
    assert why_not_own({"HTTP_HOST": "localhost:8080"})


def test_host_names() -> None:
    assert (host_name("Example.org:80"), host_name("[::1]:80"), host_name("[")) == ("example.org", "::1", "")
    assert not is_loopback("")
