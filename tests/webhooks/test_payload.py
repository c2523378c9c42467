import json
from dataclasses import replace
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhooks.payload import DeliveryError, Payload, parse_delivery

HEADERS = {"X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958", "X-GitHub-Event": "push"}
PUSH = {
    "ref": "refs/heads/master",
    "before": "0" * 40,
    "after": "a" * 40,
    "repository": {"full_name": "ann/app", "private": True},
    "commits": [{"id": "a" * 40}],
}


def parse(payload: object, **headers: str) -> Payload:
    return parse_delivery({**HEADERS, **headers}, json.dumps(payload).encode())


def test_a_push_says_what_moved() -> None:
    assert parse(PUSH) == Payload(
        HEADERS["X-GitHub-Delivery"], "push", "ann/app", "refs/heads/master", "0" * 40, "a" * 40
    )


def test_header_names_are_the_same_in_any_case() -> None:
    lower = {name.lower(): value for name, value in HEADERS.items()}
    assert parse_delivery(lower, json.dumps(PUSH).encode()).event == "push"


def test_a_form_holds_the_same_payload() -> None:
    body = urlencode({"payload": json.dumps(PUSH)}).encode()
    form = {**HEADERS, "Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    assert parse_delivery(form, body) == parse(PUSH)
    with pytest.raises(DeliveryError, match="no field `payload`"):
        parse_delivery(form, b"x=1")


def test_what_is_not_ours_is_ignored_with_the_reason() -> None:
    push = parse(PUSH)
    assert push.reason_to_ignore({"ann/app"}) is None
    assert push.reason_to_ignore({"Ann/App"}) is None
    assert push.reason_to_ignore({"bob/app"}) == "the repository is not registered"
    assert replace(push, repository=None).reason_to_ignore({"ann/app"}) == "the repository is not registered"
    ping, issues = parse(PUSH, **{"X-GitHub-Event": "ping"}), parse({"ref": 1}, **{"X-GitHub-Event": "issues"})
    assert ping.reason_to_ignore({"ann/app"}) == "pong; the webhook is set up"
    assert issues.reason_to_ignore({"ann/app"}) == "issues events change nothing here"


@pytest.mark.parametrize(
    ("event", "payload", "moved"),
    [
        ("create", {"ref": "x", "ref_type": "branch"}, ("refs/heads/x", None)),
        ("delete", {"ref": "v1", "ref_type": "tag"}, ("refs/tags/v1", None)),
        ("release", {"release": {"tag_name": "v1"}}, ("refs/tags/v1", None)),
        ("status", {"sha": "a" * 40}, (None, "a" * 40)),
    ],
)
def test_each_event_says_what_moved(event: str, payload: object, moved: tuple[str | None, str | None]) -> None:
    delivery = parse(payload, **{"X-GitHub-Event": event})
    assert (delivery.ref, delivery.after) == moved


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        ([], "the body: "),
        ({**PUSH, "after": "HEAD; rm"}, "after: "),
        ({**PUSH, "after": None}, "after: "),
        ({**PUSH, "ref": "a\0b"}, "ref: "),
        ({**PUSH, "ref": "x" * 2000}, "ref: "),
        ({**PUSH, "repository": "ann/app"}, "repository: "),
        ({**PUSH, "repository": {"full_name": "\ud800"}}, "repository.full_name: |the body: "),
    ],
)
def test_another_form_is_refused_with_the_place(payload: object, said: str) -> None:
    with pytest.raises(DeliveryError, match=f"^({said})"):
        parse(payload)


def test_headers_of_another_form_are_refused() -> None:
    for headers in ({"X-GitHub-Delivery": "a b"}, {"X-GitHub-Event": "Push;"}, {"X-GitHub-Event": ""}):
        with pytest.raises(DeliveryError, match="X-GitHub-"):
            parse(PUSH, **headers)


def test_endless_nesting_is_refused() -> None:
    with pytest.raises(DeliveryError):
        parse_delivery(HEADERS, b'{"a":' * 100_000)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*PUSH, "full_name"]), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(list(PUSH)), json_values), st.text(max_size=8), st.text(max_size=8))
def test_any_payload_and_headers_are_read_or_refused(payload: object, identity: str, event: str) -> None:
    try:
        delivery = parse(payload, **{"X-GitHub-Delivery": identity, "X-GitHub-Event": event})
    except DeliveryError:
        return
    for text in (delivery.repository, delivery.ref):
        assert text is None or "\0" not in text.encode().decode()


@given(st.binary())
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    for content_type in ("application/json", "application/x-www-form-urlencoded"):
        try:
            parse_delivery({**HEADERS, "Content-Type": content_type}, body)
        except DeliveryError as error:
            refusal = str(error)
            assert "\n" not in refusal
