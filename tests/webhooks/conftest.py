"""The receiver as others meet it: a real server on loopback."""

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from werkzeug.serving import make_server

from bot.model.names import RepoPath
from bot.model.registration import Target
from bot.settings import Settings, load_settings
from bot.store.store import Store
from tests.support.needs import needs
from tests.support.receiver import MakeReceiver, Receiver
from tests.support.workloads import write_files
from webhooks.app import create_app

APPS = "apps:\n- appRepoPath: ann/app\n  opsRepoPath: ann/ops\n  environments: [staging]\n"
expect.set_options(timeout=60_000)  # ms; what a browser waits for comes after seconds, or on a busy machine later
ENV = "DPPCTL_WEBHOOK_SECRETS=new\nDPPCTL_PORT=0\nDPPCTL_MAX_DELIVERY_BYTES=2000\n"


@pytest.fixture
def make_receiver(tmp_path: Path) -> Iterator[MakeReceiver]:
    """`make_receiver("ann/app", MAX_DELIVERY_BYTES="2000")`: of one app, with staging and production."""
    with ExitStack() as ends:

        def make(app: str, *, shortcut: bool = True, **settings: str) -> Receiver:
            given = {"WEBHOOK_SECRETS": "old,new", "SYNC_TOKEN": "sync-token", **settings}
            store = Store(f"sqlite:///{tmp_path}/bot.sqlite")
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
    (tmp_path / "state").mkdir()
    return write_files(tmp_path, {"apps.yaml": APPS, ".env": ENV})


@pytest.fixture
def store(config: Path) -> Iterator[Store]:
    store = Store(load_settings(config, {}).database_url)
    yield store
    store.close()


@pytest.fixture
def settings(config: Path) -> Settings:
    return load_settings(config, {})


@pytest.fixture(scope="session")
@needs("chromium")
def browser() -> Iterator[Browser]:
    quiet = ["--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
    arguments = [*quiet, "--no-first-run", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Any error that the browser tells of, a refused script too, fails the test."""
    page = browser.new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    yield page
    page.close()
    assert problems == []
