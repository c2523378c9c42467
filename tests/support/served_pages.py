"""What `dppctl up` serves, on loopback: pages and login, over an app that had deployments."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Page, expect
from werkzeug.serving import make_server

from bot.model.registration import parse_registration
from bot.settings import load_settings
from bot.store.store import Store
from cli.servers.pages import make_all_in_one
from cluster.proxy.tokens import make_token, write_tokens
from tests.support.pages import APP, deploy
from tests.support.serving import in_thread
from tests.support.stores import open_new_store

APPS = f"""apps:
- {{appRepoPath: {APP}, opsRepoPath: ann/ops, environments: [staging, production]%s}}
"""
STAGING = f"/apps/{APP}/staging"


@dataclass
class ServedPages:
    """What `dppctl up` serves, and the bot's side of it."""

    url: str
    store: Store
    token: str
    robot: str  # a token without the scope to read

    def finish(self, deployment: int) -> None:
        """Answer what waits, as the bot does."""
        for request in self.store.requests.take():
            self.store.requests.finish(request.id, "done", f"{request.act} is done", deployment)


@contextmanager
def serve_pages(folder: Path, deployers: str = "['token:ann']", **settings: str) -> Iterator[ServedPages]:
    """Serve the pages until the block's end; `deployers`: whom apps.yaml lets deploy; "": nobody is named."""
    token, record = make_token("ann's laptop", "ann", ["read", "run", "deploy"])
    robot, other = make_token("robot", "robot", ["run"])
    write_tokens(folder / "tokens.json", [record, other])
    given = {
        "WEBHOOK_SECRETS": "x",
        "STATE_DIR": str(folder),
        "PROXY_TOKENS_FILE": str(folder / "tokens.json"),
        **settings,
    }
    loaded = load_settings(folder, {f"DPPCTL_{name}": value for name, value in {**given, **settings}.items()})
    store = open_new_store(folder / "dppctl.sqlite")
    for number in (1, 2):
        deploy(store, number)
    deploy(store, 3, state="failed")
    deploy(store, 4, state="running")
    apps = APPS % (f", mayDeploy: {deployers}" if deployers else "")
    server = make_server("127.0.0.1", 0, make_all_in_one(loaded, parse_registration(apps, "apps.yaml")), threaded=True)
    server.daemon_threads = True  # type: ignore[attr-defined]
    with in_thread(server):
        yield ServedPages(f"http://127.0.0.1:{server.server_port}", store, token, robot)
    store.close()


def log_in(pages: ServedPages, page: Page, path: str = STAGING) -> None:
    """Go to a page, and log in there with the token."""
    page.goto(pages.url + path)
    page.get_by_role("link", name="Log in").click()
    page.get_by_label("Your token").fill(pages.token)
    page.get_by_role("button", name="Log in").click()
    expect(page).to_have_url(pages.url + path)
