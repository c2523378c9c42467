"""What a proxy refuses, and what is no proxy, is one line that says what to do."""

import json

import pytest

from cli.remote.errors import ProxyAwayError, ProxyRefusedError, refusal_of_text


@pytest.mark.parametrize(
    ("status", "code", "error", "hint", "said"),
    [
        (
            400,
            "wrong-hash",
            "the upload has another hash",
            "upload it again",
            "the upload has another hash; upload it again",
        ),
        (401, "unauthorized", "no such token", "", "no such token; `dppctl login office` takes another token"),
        (403, "scope", "the scope ssh is missing", "ask for it", "the scope ssh is missing; ask for it"),
        (403, "quota", "exceeded quota:\npods=10", "wait for others", "exceeded quota: pods=10; wait for others"),
        (404, "no-such-pool", "there is no pool a", "pools here: b", "there is no pool a; pools here: b"),
        (413, "too-large", "at most 256 MiB", "use .dppctlignore", "at most 256 MiB; use .dppctlignore"),
        (
            507,
            "disk-full",
            "the operator's disk is full",
            "make it larger",
            "the operator's disk is full; make it larger",
        ),
    ],
)
def test_a_refusal_is_one_line(status: int, code: str, error: str, hint: str, said: str) -> None:
    found = refusal_of_text(status, json.dumps({"error": error, "code": code, "hint": hint}).encode(), "office")
    assert isinstance(found, ProxyRefusedError)
    assert (str(found), found.status, found.code) == (said, status, code)


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_what_may_pass_is_tried_again(status: int) -> None:
    body = json.dumps({"error": "the operator is away", "code": "away", "hint": "try again"}).encode()
    assert isinstance(refusal_of_text(status, body, "office"), ProxyAwayError)
    assert isinstance(refusal_of_text(599, b"<html>", "office"), ProxyAwayError)


@pytest.mark.parametrize(("limit", "kind"), [("runs", ProxyRefusedError), ("callsPerMinute", ProxyAwayError)])
def test_a_limit_of_what_one_has_at_a_time_is_not_waited_for(limit: str, kind: type[Exception]) -> None:
    body = json.dumps({"error": f"limit {limit}", "code": "limit", "limit": limit, "used": 1, "allowed": 1})
    assert isinstance(refusal_of_text(429, body.encode(), "office"), kind)
