import json
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.model.webhook_events import Deleted, Event, Ignored, Ping, Push, RefEvent, Status, Tag
from webhooks.payload import DeliveryError, read_delivery
from webhooks.receive import reason_to_ignore

HEADERS = {"X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958", "X-GitHub-Event": "push"}
PUSH = {
    "ref": "refs/heads/master",
    "before": "0" * 40,
    "after": "a" * 40,
    "repository": {"full_name": "ann/app", "private": True},
    "commits": [{"id": "a" * 40}],
}


def parse(payload: object, **headers: str) -> Event:
    return read_delivery({**HEADERS, **headers}, json.dumps(payload).encode())[1]


def test_a_push_says_what_moved() -> None:
    identity, event = read_delivery(HEADERS, json.dumps(PUSH).encode())
    assert identity == HEADERS["X-GitHub-Delivery"]
    assert event == Push("push", "ann/app", "refs/heads/master", "0" * 40, "a" * 40)


def test_header_names_are_the_same_in_any_case() -> None:
    lower = {name.lower(): value for name, value in HEADERS.items()}
    assert read_delivery(lower, json.dumps(PUSH).encode())[1].name == "push"


def test_a_form_holds_the_same_payload() -> None:
    body = urlencode({"payload": json.dumps(PUSH)}).encode()
    form = {**HEADERS, "Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    assert read_delivery(form, body)[1] == parse(PUSH)
    with pytest.raises(DeliveryError, match="no field `payload`"):
        read_delivery(form, b"x=1")


def test_what_is_not_ours_is_ignored_with_the_reason() -> None:
    push, nowhere = parse(PUSH), parse({**PUSH, "repository": None})
    assert reason_to_ignore(push, "ann/app") is None
    assert reason_to_ignore(push, None) == "the repository is not registered"
    assert reason_to_ignore(nowhere, None) == "the repository is not registered"
    ping, issues = parse(PUSH, **{"X-GitHub-Event": "ping"}), parse({"ref": 1}, **{"X-GitHub-Event": "issues"})
    assert reason_to_ignore(ping, "ann/app") == "pong; the webhook is set up"
    assert reason_to_ignore(issues, "ann/app") == "issues events change nothing here"


@pytest.mark.parametrize(
    ("name", "payload", "event"),
    [
        ("push", {"ref": "refs/tags/v1"}, Tag("push", "ann/app", "refs/tags/v1", "0" * 40, "a" * 40)),
        (
            "push",
            {"before": "a" * 40, "after": "0" * 40},
            Deleted("push", "ann/app", "refs/heads/master", "a" * 40, "0" * 40),
        ),
        ("create", {"ref": "x", "ref_type": "branch"}, Push("create", "ann/app", "refs/heads/x")),
        ("create", {"ref": "v1", "ref_type": "tag"}, Tag("create", "ann/app", "refs/tags/v1")),
        ("delete", {"ref": "x", "ref_type": "branch"}, Deleted("delete", "ann/app", "refs/heads/x")),
        ("delete", {"ref": "v1", "ref_type": "tag"}, Deleted("delete", "ann/app", "refs/tags/v1")),
        ("release", {"release": {"tag_name": "v1"}}, Tag("release", "ann/app", "refs/tags/v1")),
        (
            "status",
            {"sha": "a" * 40, "state": "success", "context": "a\nb", "description": None},
            Status("status", "ann/app", "a" * 40, "success", "a b", ""),
        ),
        ("ping", {"repository": None}, Ping("ping", None)),
        ("issues", {"ref": 1}, Ignored("issues", "ann/app")),
    ],
)
def test_each_event_has_its_type(name: str, payload: dict[str, object], event: Event) -> None:
    assert parse({**PUSH, **payload}, **{"X-GitHub-Event": name}) == event


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
        read_delivery(HEADERS, b'{"a":' * 100_000)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*PUSH, "full_name"]), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(list(PUSH)), json_values), st.text(max_size=8), st.text(max_size=8))
def test_any_payload_and_headers_are_read_or_refused(payload: object, identity: str, event: str) -> None:
    try:
        parsed = parse(payload, **{"X-GitHub-Delivery": identity, "X-GitHub-Event": event})
    except DeliveryError:
        return
    for text in (parsed.repository, parsed.ref if isinstance(parsed, RefEvent) else None):
        assert text is None or "\0" not in text.encode().decode()


@given(st.binary())
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    for content_type in ("application/json", "application/x-www-form-urlencoded"):
        try:
            read_delivery({**HEADERS, "Content-Type": content_type}, body)
        except DeliveryError as error:
            refusal = str(error)
            assert "\n" not in refusal
