"""Login at GitHub and at a provider of OpenID Connect in a real browser, and what people may do then."""

from pathlib import Path

import pytest
from oidc_provider_mock import User, run_server_in_thread
from playwright.sync_api import Browser, expect

from tests.support.github.fake import FakeGitHub
from tests.support.pages import APP
from tests.support.served_pages import STAGING, serve_pages

pytestmark = [
    pytest.mark.slow,
    pytest.mark.needs("npm"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # the provider's own
]
EVE = User(sub="eve-1", claims={"email": "eve@example.org", "email_verified": True})


def test_people_log_in_where_they_are_known_and_act_where_they_may_write(
    tmp_path: Path, github: FakeGitHub, browser: Browser
) -> None:
    page = browser.new_page()
    github.user("ben")
    github.repository(APP, ben="write")
    github.oauth.visitor = "ben"
    with run_server_in_thread(require_nonce=True, user_claims=(EVE,)) as provider:
        settings = {
            "AUTH_MODE": "oauth", "AUTH_USERS": "ben", "AUTH_DOMAINS": "example.org",
            "GITHUB_URL": github.url, "GITHUB_API_URL": github.api_url,
            "AUTH_GITHUB_CLIENT_ID": github.oauth.client_id, "AUTH_GITHUB_CLIENT_SECRET": github.oauth.client_secret,
            "AUTH_OIDC_METADATA_URL": f"http://localhost:{provider.server_port}/.well-known/openid-configuration",
            "AUTH_OIDC_CLIENT_ID": "dppctl", "AUTH_OIDC_CLIENT_SECRET": "secret", "AUTH_OIDC_NAME": "Example",
        }  # fmt: skip
        with serve_pages(tmp_path, "", **settings) as pages:
            github.oauth.callback = f"{pages.url}/auth/callback/github"
            page.goto(pages.url + STAGING)
            page.get_by_role("link", name="Log in").click()
            page.get_by_role("link", name="GitHub").click()
            expect(page).to_have_url(pages.url + STAGING)
            expect(page.locator("#visitor")).to_contain_text("ben")
            page.get_by_role("link", name="Roll back").click()
            page.get_by_role("textbox", name="Why").fill("a column was lost")
            page.get_by_role("button", name="Roll back").click()
            expect(page.locator("#request")).to_contain_text("waiting")
            (asked,) = pages.store.requests.take()
            assert (asked.by, asked.login) == (f"github:{github.users['ben']}", "ben")
            page.get_by_role("button", name="Log out").click()

            page.goto(pages.url + STAGING)
            page.get_by_role("link", name="Log in").click()
            page.get_by_role("link", name="Example").click()
            page.locator("input[name=sub]").fill("eve-1")
            page.locator("input[name=sub]").press("Enter")
            expect(page).to_have_url(pages.url + STAGING)
            expect(page.locator("#visitor")).to_contain_text("eve@example.org")
            expect(page.locator("main")).to_contain_text("You may not act here: ")
            expect(page.get_by_role("list", name="Acts")).to_have_count(0)
    page.close()
