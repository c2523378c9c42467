"""Whatever is sent: an answer in JSON, never a 5xx, never an exception."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.model.names import RepoPath
from bot.model.registration import Target
from bot.settings import load_settings
from tests.support.receiver import PUSH
from tests.support.stores import open_new_store
from webhooks.app import create_app
from webhooks.signature import sign

pytestmark = [pytest.mark.fuzz, pytest.mark.slow]
EVENTS = ["push", "ping", "create", "delete", "release", "status", "issues"]
KEYS = [*PUSH, "full_name", "ref_type", "release", "tag_name", "sha", "context", "state", "description", "payload"]
REPORT_KEYS = [
    "ops_commit", "app", "environment", "ref", "commit", "phase", "time", "message", "log", "receipt", "status",
    "pipelines", "id", "rows", "resources", "name", "fields", "type", "started", "ended", "seconds", "source",
]  # fmt: skip
LIKELY = st.sampled_from([
    "ann/app", "refs/heads/master", "refs/tags/v1", "a" * 40, "branch", "tag", "staging", "succeeded", "failed",
    "started", "2026-01-01T00:00:00Z", "../..", "\0", "\ud800", "$(true)", "'; --", "<b>", 2**70, -1, 1e308,
])  # fmt: skip
HEADER = st.text(st.characters(min_codepoint=1, max_codepoint=255, exclude_characters="\r\n"), max_size=80)


def values(keys: list[str]) -> st.SearchStrategy[object]:
    """JSON with the keys that the receiver looks for, at any depth."""
    return st.recursive(
        LIKELY | st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(keys), inner, max_size=12),
        max_leaves=15,
    )


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    folder: Path = tmp_path_factory.mktemp("fuzz")
    store = open_new_store(folder / "bot.sqlite")
    given = {"DPPCTL_WEBHOOK_SECRETS": "hush", "DPPCTL_SYNC_TOKEN": "token", "DPPCTL_DELIVERIES_A_MINUTE": "0"}
    app = create_app(load_settings(folder, given), {Target(RepoPath("ann/app"), RepoPath("ann/ops"), "staging")}, store)
    app.testing = True  # an exception reaches the test
    yield app.test_client()
    store.close()


@settings(deadline=None)
@given(
    payload=st.dictionaries(st.sampled_from(KEYS), values(KEYS)) | values(KEYS) | st.binary(),
    event=st.sampled_from(EVENTS) | HEADER,
    identity=st.sampled_from(["1", "2"]) | HEADER,
    kind=st.sampled_from(["application/json", "application/x-www-form-urlencoded"]) | HEADER,
    signature=st.none() | HEADER,
)
def test_any_delivery_is_taken_or_refused(
    client: FlaskClient, payload: object, event: str, identity: str, kind: str, signature: str | None
) -> None:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    headers = {
        "Content-Type": kind,
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": identity,
        "X-Hub-Signature-256": sign(body, "hush") if signature is None else signature,
    }
    answer = client.post("/webhooks/github", data=body, headers=headers)
    assert answer.status_code in (200, 202, 400, 401, 415), answer.text
    assert answer.is_json
    if signature is not None:
        assert answer.status_code in (401, 415)


@settings(deadline=None)
@given(changes=st.dictionaries(st.sampled_from(REPORT_KEYS), values(REPORT_KEYS)), receipt=values(REPORT_KEYS))
def test_any_report_is_taken_or_refused_and_the_pages_show_it(
    client: FlaskClient, changes: dict[str, object], receipt: object
) -> None:
    report = {
        "ops_commit": "b" * 40, "app": "ann/app", "environment": "staging", "ref": "refs/heads/master",
        "commit": "a" * 40, "phase": "succeeded", "time": "2026-01-01T00:00:00Z",
        "receipt": {
            "status": "succeeded", "started": "2026-01-01T00:00:00Z", "ended": "2026-01-01T00:00:00Z",
            "pipelines": [{"id": "./one", "status": "succeeded", "resources": [receipt]}],
        },
        **changes,
    }  # fmt: skip
    answer = client.post("/sync/events", data=json.dumps(report), headers={"Authorization": "Bearer token"})
    assert answer.status_code in (202, 400), answer.text
    for path in ("/", "/deployments/1", "/deployments/1/log.txt", "/deployments/1/receipt.json", "/metrics"):
        assert client.get(path).status_code in (200, 404)


@settings(deadline=None)
@given(path=st.text(max_size=20), since=st.text(max_size=20))
def test_any_path_is_answered(client: FlaskClient, path: str, since: str) -> None:
    for prefix in ("/", "/deployments/", "/static/"):
        # As a server gives it (PEP 3333); the client would take what follows two slashes for a host.
        given = {"PATH_INFO": (prefix + path).encode().decode("latin-1")}
        assert client.get("/", environ_overrides=given).status_code < 500
    answer = client.get("/events", query_string={"since": since})
    assert answer.status_code == 200
    answer.close()
