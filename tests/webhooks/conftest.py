"""The receiver as others meet it: a real server on loopback."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import expect
from werkzeug.serving import make_server

from bot.model.names import RepoPath
from bot.model.registration import Target
from bot.settings import Settings, load_settings
from bot.store.store import Store
from tests.support.receiver import MakeReceiver, Receiver, write_config
from tests.support.stores import open_store
from webhooks.app import create_app

expect.set_options(timeout=60_000)  # ms; what a browser waits for comes after seconds, or on a busy machine later


@pytest.fixture
def make_receiver(tmp_path: Path) -> Iterator[MakeReceiver]:
    """`make_receiver("ann/app", MAX_DELIVERY_BYTES="2000")`: of one app, with staging and production."""
    with ExitStack() as ends:

        def make(app: str, *, shortcut: bool = True, **settings: str) -> Receiver:
            given = {"WEBHOOK_SECRETS": "old,new", "SYNC_TOKEN": "sync-token", **settings}
            store = open_store(f"sqlite:///{tmp_path}/bot.sqlite")
            targets = {Target(RepoPath.parse(app), RepoPath("ann/ops"), name) for name in ("staging", "production")}
            loaded = load_settings(tmp_path, {f"DPPCTL_{name}": value for name, value in given.items()})
            server = make_server("127.0.0.1", 0, create_app(loaded, targets, store, shortcut=shortcut), threaded=True)
            # A page that is live does not hold up the end.
            server.daemon_threads = True  # type: ignore[attr-defined]
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
    return write_config(tmp_path)


@pytest.fixture
def store(config: Path) -> Iterator[Store]:
    store = open_store(load_settings(config, {}).database_url)
    yield store
    store.close()


@pytest.fixture
def settings(config: Path) -> Settings:
    return load_settings(config, {})
