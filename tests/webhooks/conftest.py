"""The receiver as others meet it: a real server on loopback."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from werkzeug.serving import make_server

from bot.model.names import RepoPath
from bot.model.registration import Target
from bot.settings import Settings, load_settings
from bot.store.store import Store
from tests.conftest import write_files
from webhooks.app import create_app
from webhooks.signature import sign

PUSH = {"ref": "refs/heads/master", "before": "0" * 40, "after": "a" * 40, "repository": {"full_name": "ann/app"}}

APPS = "apps:\n- appRepoPath: ann/app\n  opsRepoPath: ann/ops\n  environments: [staging]\n"
ENV = "DPPCTL_WEBHOOK_SECRETS=new\nDPPCTL_PORT=0\nDPPCTL_MAX_DELIVERY_BYTES=2000\n"

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


@pytest.fixture
def make_receiver(tmp_path: Path) -> Iterator[MakeReceiver]:
    """`make_receiver("ann/app", MAX_DELIVERY_BYTES="2000")`: of one app, with staging and production."""
    with ExitStack() as ends:

        def make(app: str, **settings: str) -> Receiver:
            given = {"WEBHOOK_SECRETS": "old,new", "SYNC_TOKEN": "sync-token", **settings}
            store = Store(f"sqlite:///{tmp_path}/bot.sqlite")
            targets = {Target(RepoPath.parse(app), RepoPath("ann/ops"), name) for name in ("staging", "production")}
            loaded = load_settings(tmp_path, {f"DPPCTL_{name}": value for name, value in given.items()})
            server = make_server("127.0.0.1", 0, create_app(loaded, targets, store), threaded=True)
            server.daemon_threads = True  # a page that is live does not hold up the end
            thread = threading.Thread(target=server.serve_forever, args=[0.02])
            thread.start()
            ends.callback(store.close)
            ends.callback(server.server_close)
            ends.callback(thread.join)
            ends.callback(server.shutdown)
            return Receiver(f"http://127.0.0.1:{server.server_port}", store)

        yield make


@pytest.fixture
def receiver(make_receiver: MakeReceiver) -> Receiver:
    return make_receiver("ann/app", MAX_DELIVERY_BYTES="2000")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir()
    return write_files(tmp_path, {"apps.yaml": APPS, ".env": ENV})


@pytest.fixture
def store(config: Path) -> Iterator[Store]:
    store = Store(load_settings(config, {}).database)
    yield store
    store.close()


@pytest.fixture
def settings(config: Path) -> Settings:
    return load_settings(config, {})
