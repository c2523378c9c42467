"""Every payload that GitHub documents, delivered to a real server."""

from collections import Counter
from typing import Any

import jsonschema
import pytest
import requests

from tests.support.octokit import PAYLOADS, payloads, schema, validator
from tests.support.receiver import MakeReceiver

REPOSITORY = "Codertocat/Hello-World"  # whose payloads they are, most of them
ACTED_ON = {"push", "create", "delete", "release", "status"}
BEFORE, AFTER = "1" * 40, "2" * 40


def branch_created() -> dict[str, Any]:
    """GitHub shows no ordinary push; this is to be changed into one."""
    return next(one for event, one in payloads() if event == "push" and one["ref"] == "refs/heads/master")


@pytest.mark.needs("npm")
def test_each_is_taken_and_only_what_moves_a_branch_or_a_tag_wakes_the_bot(make_receiver: MakeReceiver) -> None:
    receiver = make_receiver(REPOSITORY, DELIVERIES_A_MINUTE="0")
    seen: Counter[tuple[str, str]] = Counter()
    with requests.Session() as session:
        for number, (event, payload) in enumerate(payloads()):
            headers = {"X-GitHub-Event": event, "X-GitHub-Delivery": f"d-{number}"}
            answer = receiver.deliver(payload, headers=headers, session=session)
            assert answer.status_code == 202, (event, answer.text)
            seen[event, answer.json()["outcome"]] += 1
    assert sum(seen.values()) == PAYLOADS
    for event, outcome in seen:
        if event == "ping":
            assert outcome == "ignored: pong; the webhook is set up"
        elif event not in ACTED_ON:
            assert outcome == f"ignored: {event} events change nothing here"
        else:
            assert outcome in ("accepted", "ignored: the repository is not registered")
    assert {event for event, outcome in seen if outcome == "accepted"} == ACTED_ON
    assert seen["push", "accepted"] == 7
    assert len(receiver.store.deliveries.newest(limit=1000)) == PAYLOADS


@pytest.mark.needs("npm")
def test_of_a_status_only_what_it_says_is_kept(make_receiver: MakeReceiver) -> None:
    receiver = make_receiver(REPOSITORY, DELIVERIES_A_MINUTE="0")
    examples = [one for event, one in payloads() if event == "status"]
    for number, example in enumerate(examples):
        payload = {**example, "state": "failure", "context": "argocd/staging", "description": "a\nb" + "c" * 2000}
        whole = schema("status")  # which asks more of the repository than GitHub's examples have
        for name in ("state", "description"):
            jsonschema.validate(payload[name], whole["definitions"]["status$event"]["properties"][name])
        headers: dict[str, str | None] = {"X-GitHub-Event": "status", "X-GitHub-Delivery": str(number)}
        assert receiver.deliver(payload, headers=headers).json()["outcome"] == "accepted"
    records = receiver.store.deliveries.newest()
    assert [one.after for one in records] == [one["sha"] for one in examples]
    said = {"state": "failure", "context": "argocd/staging", "description": ("a b" + "c" * 2000)[:1000]}
    assert [one.status for one in records] == [said] * len(examples)


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("ordinary", {"before": BEFORE, "after": AFTER, "created": False}),
        ("forced", {"before": BEFORE, "after": AFTER, "created": False, "forced": True}),
        ("deletes", {"before": BEFORE, "after": "0" * 40, "created": False, "deleted": True, "head_commit": None}),
        ("makes a tag", {"ref": "refs/tags/v1", "before": "0" * 40, "after": AFTER, "base_ref": "refs/heads/master"}),
    ],
)
@pytest.mark.needs("npm")
def test_a_push_of_each_kind_is_recorded(make_receiver: MakeReceiver, kind: str, changes: dict[str, Any]) -> None:
    receiver = make_receiver(REPOSITORY, DELIVERIES_A_MINUTE="0")
    payload = {**branch_created(), **changes}
    validator("push").validate(payload)  # so GitHub would send it
    assert receiver.deliver(payload).json()["outcome"] == "accepted", kind
    (record,) = receiver.store.deliveries.newest()
    assert (record.ref, record.before, record.after) == tuple(payload[key] for key in ("ref", "before", "after"))
