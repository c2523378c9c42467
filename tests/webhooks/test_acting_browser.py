"""Login and acts in a real browser, as people do them: by mouse, by keyboard, without JavaScript."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Browser, Page, expect
from werkzeug.serving import make_server

from bot.model.registration import parse_registration
from bot.settings import load_settings
from bot.store.store import Store
from cli.servers.pages import make_all_in_one
from cluster.proxy.tokens import make_token, write_tokens
from tests.support.pages import APP, deploy
from tests.support.serving import Reply, in_thread, serving

pytestmark = pytest.mark.slow

APPS = f"""apps:
- {{appRepoPath: {APP}, opsRepoPath: ann/ops, environments: [staging, production], mayDeploy: ['token:ann']}}
"""
STAGING = f"/apps/{APP}/staging"


@dataclass
class Pages:
    """What `dppctl up` serves, and the bot's side of it."""

    url: str
    store: Store
    token: str

    def finish(self, deployment: int) -> None:
        """Answer what waits, as the bot does."""
        for request in self.store.requests.take():
            self.store.requests.finish(request.id, "done", f"{request.act} is done", deployment)


def _serve(folder: Path, **settings: str) -> Iterator[Pages]:
    token, record = make_token("ann's laptop", "ann", ["read", "run", "deploy"])
    write_tokens(folder / "tokens.json", [record])
    given = {
        "WEBHOOK_SECRETS": "x",
        "STATE_DIR": str(folder),
        "PROXY_TOKENS_FILE": str(folder / "tokens.json"),
        **settings,
    }
    loaded = load_settings(folder, {f"DPPCTL_{name}": value for name, value in {**given, **settings}.items()})
    store = Store(loaded.database_url)
    for number in (1, 2):
        deploy(store, number)
    deploy(store, 3, state="failed")
    deploy(store, 4, state="running")
    server = make_server("127.0.0.1", 0, make_all_in_one(loaded, parse_registration(APPS, "apps.yaml")), threaded=True)
    server.daemon_threads = True  # type: ignore[attr-defined]
    with in_thread(server):
        yield Pages(f"http://127.0.0.1:{server.server_port}", store, token)
    store.close()


@pytest.fixture(scope="module")
def with_login(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    yield from _serve(tmp_path_factory.mktemp("login"), AUTH_MODE="token")


@pytest.fixture(scope="module")
def without_login(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    yield from _serve(tmp_path_factory.mktemp("open"))


def _log_in(pages: Pages, page: Page, path: str = STAGING) -> None:
    page.goto(pages.url + path)
    page.get_by_role("link", name="Log in").click()
    page.get_by_label("Your token").fill(pages.token)
    page.get_by_role("button", name="Log in").click()
    expect(page).to_have_url(pages.url + path)


ACTS = [
    (STAGING, "Roll back", "rollback"),
    (STAGING, "Hold", "hold"),
    (STAGING, "Deploy", "deploy"),
    (f"/apps/{APP}/production", "Promote staging to production", "promote"),
    ("/deployments/1", "Roll back to this", "rollback"),
    ("/deployments/3", "Try again", "retry"),
    ("/deployments/4", "Cancel this deployment", "cancel"),
]


def test_each_button_leads_over_a_confirmation_to_what_becomes_of_it(with_login: Pages, page: Page) -> None:
    _log_in(with_login, page)
    expect(page.locator("#visitor")).to_contain_text("ann")
    for path, title, act in ACTS:
        page.goto(with_login.url + path)
        page.get_by_role("link", name=title, exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_contain_text(f"{title}?")
        expect(page.locator("#change")).to_contain_text("v")
        assert with_login.store.requests.take() == []
        page.get_by_label("Why").fill(f"because of {act}")
        page.get_by_role("button", name=title, exact=True).click()
        expect(page.locator("#request")).to_contain_text("waiting for the bot")
        (asked,) = with_login.store.requests.take()
        assert (asked.act, asked.by, asked.reason) == (act, "token:ann", f"because of {act}")
        expect(page).to_have_url(f"{with_login.url}/requests/{asked.id}")
        page.evaluate("window.sameDocument = true")
        with_login.finish(2)
        expect(page.locator("#request")).to_contain_text(f"{act} is done")
        expect(page.get_by_role("link", name="deployment 2")).to_be_visible()
        assert page.evaluate("window.sameDocument")


def test_a_held_environment_is_released(with_login: Pages, page: Page) -> None:
    with_login.store.holds.set(APP, "staging", "elections", by="token:ann", login="ann")
    _log_in(with_login, page)
    expect(page.locator("#hold")).to_contain_text("by ann: elections")
    page.get_by_role("link", name="Release").click()
    expect(page.locator("#effect")).to_contain_text("it was held: elections")
    page.get_by_role("button", name="Release").click()
    expect(page.locator("#request")).to_contain_text("waiting")
    with_login.store.holds.release(APP, "staging")
    with_login.finish(2)
    page.goto(with_login.url + STAGING)
    expect(page.locator("#hold")).to_have_count(0)


def test_the_keyboard_is_enough(with_login: Pages, page: Page) -> None:
    _log_in(with_login, page)

    def tab_to(name: str) -> None:
        for _ in range(40):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.textContent.trim()") == name:
                return
        raise AssertionError(f"{name} is not reached")

    tab_to("Roll back")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Roll back?")
    page.get_by_label("Why").focus()
    page.keyboard.type("by keyboard")
    page.keyboard.press("Enter")
    expect(page.locator("#request")).to_contain_text("waiting")
    tab_to("Log out")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Log in")).to_be_visible()
    with_login.finish(2)


def test_without_javascript_people_log_in_act_and_log_out(with_login: Pages, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    _log_in(with_login, page)
    page.get_by_role("link", name="Hold", exact=True).click()
    page.get_by_role("button", name="Hold").click()
    expect(page.get_by_label("Why")).to_be_focused()  # the browser asks for the reason
    page.get_by_label("Why").fill("no scripts")
    page.get_by_role("button", name="Hold").click()
    expect(page.locator("#request")).to_contain_text("waiting")
    with_login.finish(2)
    page.goto(with_login.url + STAGING)
    page.get_by_role("button", name="Log out").click()
    page.goto(with_login.url + STAGING)
    expect(page.get_by_role("list", name="Acts")).to_have_count(0)
    context.close()


def test_a_machine_is_let_in_by_its_code_that_a_person_types(with_login: Pages, page: Page) -> None:
    form = {"client_id": "dppctl", "scope": "read run", "name": "ann's desk"}
    asked = requests.post(f"{with_login.url}/auth/device/code", data=form, timeout=60).json()
    _log_in(with_login, page)
    page.goto(asked["verification_uri"])
    page.get_by_label("The code").fill(asked["user_code"])
    page.get_by_role("button", name="Go on").click()
    expect(page.locator("main")).to_contain_text("ann's desk")
    page.get_by_role("button", name="Allow").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Allowed")


def test_without_a_login_who_sits_at_the_machine_acts(without_login: Pages, page: Page) -> None:
    """What a browser says of where a form comes from is what is believed."""
    page.goto(without_login.url + STAGING)
    expect(page.locator("footer")).to_contain_text("acting works from this machine only")
    page.get_by_role("link", name="Roll back").click()
    page.get_by_role("button", name="Roll back").dblclick()
    expect(page.locator("#request")).to_contain_text("waiting")
    (asked,) = without_login.store.requests.take()
    assert asked.by.startswith("local:")
    without_login.finish(2)


def test_another_site_in_the_same_browser_cannot_act(without_login: Pages, browser: Browser) -> None:
    fields = {"app": APP, "environment": "staging", "message": "x", "form": "0" * 32}
    inputs = "".join(f'<input name="{name}" value="{value}">' for name, value in fields.items())
    form = f'<form method="post" action="{without_login.url}/acts/hold">{inputs}<button>x</button></form>'
    html = {"Content-Type": "text/html"}
    page = browser.new_page()
    page.goto(without_login.url + STAGING)  # so that the cookie of forms is there
    with serving(lambda _: Reply(200, html, form.encode())) as other:
        for host in (other, other.replace("127.0.0.1", "localhost")):  # another port, another name
            page.goto(f"http://{host}/")
            page.get_by_role("button").click()
            expect(page.get_by_role("heading", level=1)).to_have_text("Hold: not done")
            expect(page.get_by_role("alert")).to_contain_text("it was sent from another site")
    assert without_login.store.requests.take() == []
    page.close()


def test_all_of_it_fits_a_telephone(with_login: Pages, browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 360, "height": 740})
    _log_in(with_login, page)
    with_login.store.holds.set(APP, "production", "w" * 200, by="token:ann", login="a" * 60)
    query = f"app={APP}&environment=staging"
    for path in ("/", STAGING, f"/apps/{APP}/production", f"/acts/hold?{query}", "/deployments/3", "/requests/1"):
        page.goto(with_login.url + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        targets = page.locator("button:visible, .actions a:visible, .act input:visible")
        heights = targets.evaluate_all("found => found.map(element => element.getBoundingClientRect().height)")
        assert min(heights) >= 24
    with_login.store.holds.release(APP, "production")
    page.close()
