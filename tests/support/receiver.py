"""The receiver as GitHub meets it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests

from bot.model.webhook_events import Push
from bot.store.store import Store
from tests.support.workloads import write_files
from webhooks.signature import sign

PUSH = {"ref": "refs/heads/master", "before": "0" * 40, "after": "a" * 40, "repository": {"full_name": "ann/app"}}
PUSHED = Push("push", "ann/app", "refs/heads/master")  # the event of a push to that app, as the store records it

Headers = dict[str, str | None]


@dataclass
class Receiver:
    url: str
    store: Store

    def deliver(
        self,
        payload: object = PUSH,
        *,
        secret: str = "new",
        headers: Headers | None = None,
        session: requests.Session | None = None,
    ) -> requests.Response:
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        usual = {
            "Content-Type": "application/json",
            "X-GitHub-Event": "push",
            "X-GitHub-Delivery": "1",
            "X-Hub-Signature-256": sign(body, secret),
        }
        sent = {**usual, **(headers or {})}
        post = session.post if session else requests.post
        return post(f"{self.url}/webhooks/github", data=body, headers=sent, timeout=60)

    def report(self, token: str = "sync-token", **changes: Any) -> requests.Response:
        event = {
            "ops_commit": "b" * 40, "app": "ann/app", "environment": "staging", "ref": "refs/heads/master",
            "commit": "a" * 40, "phase": "started", "time": datetime.now(UTC).isoformat(), **changes,
        }  # fmt: skip
        headers = {"Authorization": f"Bearer {token}"}
        return requests.post(f"{self.url}/sync/events", json=event, headers=headers, timeout=60)

    def page(self, path: str = "/") -> str:
        return requests.get(f"{self.url}{path}", timeout=60).text


MakeReceiver = Callable[..., Receiver]


def write_config(folder: Path) -> Path:
    """Write the configuration of a receiver of one app, on any free port; return the folder."""
    (folder / "state").mkdir()
    apps = "apps:\n- appRepoPath: ann/app\n  opsRepoPath: ann/ops\n  environments: [staging]\n"
    env = "DPPCTL_WEBHOOK_SECRETS=new\nDPPCTL_PORT=0\nDPPCTL_MAX_DELIVERY_BYTES=2000\n"
    return write_files(folder, {"apps.yaml": apps, ".env": env})
