"""The receiver as others meet it: a real server on loopback."""

import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from werkzeug.serving import make_server

from bot.settings import load_settings
from bot.store import Store
from webhooks.app import create_app
from webhooks.signature import sign

PUSH = {"ref": "refs/heads/master", "before": "0" * 40, "after": "a" * 40, "repository": {"full_name": "ann/app"}}

Headers = dict[str, str | None]


@dataclass
class Receiver:
    url: str
    store: Store
    woken: list[str] = field(default_factory=list)

    def deliver(
        self, payload: object = PUSH, *, secret: str = "new", headers: Headers | None = None
    ) -> requests.Response:
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        usual = {
            "Content-Type": "application/json",
            "X-GitHub-Event": "push",
            "X-GitHub-Delivery": "1",
            "X-Hub-Signature-256": sign(body, secret),
        }
        sent = {**usual, **(headers or {})}
        return requests.post(f"{self.url}/webhooks/github", data=body, headers=sent, timeout=10)

    def report(self, token: str = "sync-token", **changes: Any) -> requests.Response:
        event = {
            "ops_commit": "b" * 40, "app": "ann/app", "environment": "staging", "ref": "refs/heads/master",
            "commit": "a" * 40, "phase": "started", "time": datetime.now(UTC).isoformat(), **changes,
        }  # fmt: skip
        headers = {"Authorization": f"Bearer {token}"}
        return requests.post(f"{self.url}/sync/events", json=event, headers=headers, timeout=10)

    def page(self) -> str:
        return requests.get(f"{self.url}/", timeout=10).text


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    given = {
        "DPPCTL_WEBHOOK_SECRETS": "old,new",
        "DPPCTL_SYNC_TOKEN": "sync-token",
        "DPPCTL_MAX_DELIVERY_BYTES": "2000",
    }
    store = Store(f"sqlite:///{tmp_path}/bot.sqlite")
    woken: list[str] = []
    app = create_app(load_settings(tmp_path, given), {"ann/app"}, store, woken.append)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield Receiver(f"http://127.0.0.1:{server.server_port}", store, woken)
    server.shutdown()
    thread.join()
    server.server_close()
    store.close()


def test_a_signed_push_is_recorded_and_wakes_the_bot(receiver: Receiver) -> None:
    answer = receiver.deliver()
    assert (answer.status_code, answer.json()) == (202, {"delivery": "1", "outcome": "accepted"})
    assert receiver.woken == ["ann/app"]
    (record,) = receiver.store.deliveries()
    assert (record.repository, record.ref, record.after) == ("ann/app", "refs/heads/master", "a" * 40)


def test_the_old_secret_holds_while_rotating(receiver: Receiver) -> None:
    assert receiver.deliver(secret="old").status_code == 202


def test_a_repeated_delivery_is_known(receiver: Receiver) -> None:
    receiver.deliver()
    assert (receiver.deliver().status_code, len(receiver.store.deliveries())) == (200, 1)


def test_the_registered_name_wakes_the_bot_not_the_payloads(receiver: Receiver) -> None:
    receiver.deliver({**PUSH, "repository": {"full_name": "ANN/app"}})
    assert receiver.woken == ["ann/app"]


@pytest.mark.parametrize(
    ("payload", "headers", "code"),
    [
        (PUSH, {"X-Hub-Signature-256": "sha256=" + "0" * 64}, 401),
        (PUSH, {"X-Hub-Signature-256": None}, 401),
        (b"{", {}, 400),
        (PUSH, {"X-GitHub-Event": None}, 400),
        (PUSH, {"X-GitHub-Delivery": None}, 400),
        (PUSH, {"Content-Type": "text/plain"}, 415),
        (b" " * 2001, {}, 413),
    ],
)
def test_what_is_refused_is_refused_in_json_and_leaves_no_trace(
    receiver: Receiver, payload: object, headers: Headers, code: int
) -> None:
    answer = receiver.deliver(payload, headers=headers)
    assert (answer.status_code, list(answer.json())) == (code, ["error"])
    assert receiver.store.deliveries() == []
    assert receiver.woken == []


def test_another_repository_is_recorded_and_ignored(receiver: Receiver) -> None:
    answer = receiver.deliver({**PUSH, "repository": {"full_name": "bob/app"}})
    assert (answer.status_code, receiver.woken) == (202, [])
    assert answer.json()["outcome"] == "ignored: the repository is not registered"


def test_sync_reports_with_its_token_only(receiver: Receiver) -> None:
    assert receiver.report().status_code == 202
    assert receiver.report(token="wrong").status_code == 401
    assert receiver.report(phase="excellent").status_code == 400
    assert [one.state for one in receiver.store.deployments()] == ["running"]


def test_the_page_lists_deployments_and_trusts_no_text(receiver: Receiver) -> None:
    assert "None yet" in receiver.page()
    result = {"id": "./one", "status": "failed", "rows": 1234, "error": "<script>alert(1)</script>"}
    receipt = {
        "status": "failed",
        "pipelines": [result],
        "started": "2026-01-01T00:00:00Z",
        "ended": "2026-01-01T00:00:01Z",
    }
    receiver.report(phase="failed", message="<script>alert(1)</script>", receipt=receipt)
    page = receiver.page()
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)" in page
    cells = [cell.strip() for cell in re.findall(r"<td[^>]*>([^<]*)</td>", page)]
    assert cells == ["ann/app", "staging", "master", "1,234"]


def test_health_and_unknown_pages_answer_in_json(receiver: Receiver) -> None:
    assert requests.get(f"{receiver.url}/healthz", timeout=10).json() == {"status": "ok"}
    assert requests.get(f"{receiver.url}/nothing", timeout=10).status_code == 404
    assert requests.get(f"{receiver.url}/webhooks/github", timeout=10).json()["error"]
