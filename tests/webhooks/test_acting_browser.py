"""Login and acts in a real browser, as people do them: by mouse, by keyboard, without JavaScript."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Browser, Page, expect

from tests.support.pages import APP, deploy
from tests.support.served_pages import STAGING, ServedPages, log_in, serve_pages
from tests.support.serving import Reply, serving

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def with_login(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedPages]:
    with serve_pages(tmp_path_factory.mktemp("login"), AUTH_MODE="token") as pages:
        yield pages


@pytest.fixture(scope="module")
def without_login(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedPages]:
    with serve_pages(tmp_path_factory.mktemp("open")) as pages:
        yield pages


ACTS = [
    (STAGING, "Roll back", "rollback"),
    (STAGING, "Hold", "hold"),
    (STAGING, "Deploy", "deploy"),
    (f"/apps/{APP}/production", "Promote staging to production", "promote"),
    ("/deployments/1", "Roll back to this", "rollback"),
    ("/deployments/3", "Try again", "retry"),
    ("/deployments/4", "Cancel this deployment", "cancel"),
]


def test_each_button_leads_over_a_confirmation_to_what_becomes_of_it(with_login: ServedPages, page: Page) -> None:
    log_in(with_login, page)
    expect(page.locator("#visitor")).to_contain_text("ann")
    for path, title, act in ACTS:
        page.goto(with_login.url + path)
        page.get_by_role("link", name=title, exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_contain_text(f"{title}?")
        expect(page.locator("#change")).to_contain_text("v")
        assert with_login.store.requests.take() == []
        page.get_by_role("textbox", name="Why").fill(f"because of {act}")
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


def test_a_held_environment_is_released(with_login: ServedPages, page: Page) -> None:
    with_login.store.holds.set(APP, "staging", "elections", by="token:ann", login="ann")
    log_in(with_login, page)
    expect(page.locator("#hold")).to_contain_text("by ann: elections")
    page.get_by_role("link", name="Release").click()
    expect(page.locator("#effect")).to_contain_text("it was held: elections")
    page.get_by_role("button", name="Release").click()
    expect(page.locator("#request")).to_contain_text("waiting")
    with_login.store.holds.release(APP, "staging")
    with_login.finish(2)
    page.goto(with_login.url + STAGING)
    expect(page.locator("#hold")).to_have_count(0)


def test_the_keyboard_is_enough(with_login: ServedPages, page: Page) -> None:
    log_in(with_login, page)

    def tab_to(name: str) -> None:
        for _ in range(40):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.textContent.trim()") == name:
                return
        raise AssertionError(f"{name} is not reached")

    tab_to("Roll back")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Roll back?")
    page.get_by_role("textbox", name="Why").focus()
    page.keyboard.type("by keyboard")
    page.keyboard.press("Enter")
    expect(page.locator("#request")).to_contain_text("waiting")
    tab_to("Log out")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Log in")).to_be_visible()
    with_login.finish(2)


def test_without_javascript_people_log_in_act_and_log_out(with_login: ServedPages, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    log_in(with_login, page)
    page.get_by_role("link", name="Hold", exact=True).click()
    page.get_by_role("button", name="Hold").click()
    expect(page.get_by_role("textbox", name="Why")).to_be_focused()  # the browser asks for the reason
    page.get_by_role("textbox", name="Why").fill("no scripts")
    page.get_by_role("button", name="Hold").click()
    expect(page.locator("#request")).to_contain_text("waiting")
    with_login.finish(2)
    page.goto(with_login.url + STAGING)
    page.get_by_role("button", name="Log out").click()
    page.goto(with_login.url + STAGING)
    expect(page.get_by_role("list", name="Acts")).to_have_count(0)
    context.close()


def test_a_machine_is_let_in_by_its_code_that_a_person_types(with_login: ServedPages, page: Page) -> None:
    form = {"client_id": "dppctl", "scope": "read run", "name": "ann's desk"}
    asked = requests.post(f"{with_login.url}/auth/device/code", data=form, timeout=60).json()
    log_in(with_login, page)
    page.goto(asked["verification_uri"])
    page.get_by_label("The code").fill(asked["user_code"])
    page.get_by_role("button", name="Go on").click()
    expect(page.locator("main")).to_contain_text("ann's desk")
    page.get_by_role("button", name="Allow").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Allowed")


def test_without_a_login_who_sits_at_the_machine_acts(without_login: ServedPages, page: Page) -> None:
    """What a browser says of where a form comes from is what is believed."""
    page.goto(without_login.url + STAGING)
    expect(page.locator("footer")).to_contain_text("acting works from this machine only")
    page.get_by_role("link", name="Roll back").click()
    page.get_by_role("button", name="Roll back").dblclick()
    expect(page.locator("#request")).to_contain_text("waiting")
    (asked,) = without_login.store.requests.take()
    assert asked.by.startswith("local:")
    without_login.finish(2)


def test_another_site_in_the_same_browser_cannot_act(without_login: ServedPages, browser: Browser) -> None:
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


def test_all_of_it_fits_a_telephone(with_login: ServedPages, browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 360, "height": 740})
    log_in(with_login, page)
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


def test_pages_for_those_who_have_logged_in_lead_to_the_login_also_when_it_ends(
    tmp_path: Path, browser: Browser
) -> None:
    page = browser.new_page()
    with serve_pages(tmp_path, AUTH_MODE="token", PAGES="login") as pages:
        page.goto(pages.url + STAGING)
        page.get_by_label("Your token").fill(pages.token)
        page.get_by_role("button", name="Log in").click()
        expect(page.locator("#live")).to_have_text("live")
        page.context.clear_cookies()
        deploy(pages.store, 5)
        expect(page.get_by_label("Your token")).to_be_visible()
    page.close()
