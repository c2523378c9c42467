"""What Chromium makes of a site of strangers, and of a listing."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.serving import Reply, serving
from tests.support.storage_servers import ServedStorage, of_environments
from tests.support.workloads import write_files

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow
ATTACK = """
<!doctype html><title>A site</title><h1>Site</h1><a href="data.csv">data</a>
<script type="module">
  import {greeting} from "./module.js";
  const found = {greeting, origin: window.origin};
  for (const [name, attempt] of Object.entries({
    cookie: async () => document.cookie,
    storage: async () => localStorage.length,
    own: async () => (await fetch("data.csv")).text(),
    dashboard: async () => (await fetch(location.search.slice(1), {credentials: "include"})).text(),
  })) {
    try { found[name] = await attempt(); } catch (error) { found[name] = "refused"; }
  }
  document.body.dataset.found = JSON.stringify(found);
</script>
"""
PACKAGE = {
    "title": "ועדות הכנסת",
    "resources": [{"name": "all", "path": "a.csv", "schema": {"fields": [{"name": "n", "type": "integer"}]}}],
}


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedStorage]:
    folder = tmp_path_factory.mktemp("storage")
    header = ",".join(f"a_long_name_of_column_{number}" for number in range(20))
    files = write_files(
        folder / "files",
        {
            "index.html": ATTACK,
            "404.html": "<!doctype html><title>Lost</title><h1>Lost</h1>",
            "module.js": "export const greeting = 'hello';",
            "data.csv": "a\n1\n",
            "committees/datapackage.json": json.dumps(PACKAGE),
            "committees/a.csv": f"{header}\n" + ",".join(["שלום"] * 20),
        },
    )
    with of_environments(folder, files) as served:
        yield served


@pytest.fixture
def stranger(browser: "Browser") -> "Iterator[Page]":
    """A page that may have errors: what a site tries is refused."""
    page = browser.new_page()
    yield page
    page.close()


@pytest.mark.needs("chromium")
def test_a_site_works_and_reads_nothing_of_others(storage: ServedStorage, stranger: "Page") -> None:
    cookies: list[str | None] = []

    def answer(request: object) -> Reply:
        cookies.append(request.cookie)  # type: ignore[attr-defined]
        return Reply(200, {"Set-Cookie": "session=hush", "Content-Type": "text/plain"}, b"the dashboard")

    with serving(answer) as dashboard:
        stranger.goto(f"http://{dashboard}/")
        stranger.goto(f"{storage.url}?http://{dashboard}/")
        stranger.wait_for_selector("body[data-found]")
        found = json.loads(stranger.get_attribute("body", "data-found") or "")
    assert found == {
        "greeting": "hello", "origin": "null", "cookie": "refused", "storage": "refused", "own": "a\n1\n",
        "dashboard": "refused",
    }  # fmt: skip
    lost = stranger.goto(f"{storage.url}no/such/page.html")
    assert lost
    assert (lost.status, stranger.title()) == (404, "Lost")


@pytest.mark.needs("chromium")
def test_data_of_a_site_can_be_downloaded(storage: ServedStorage, stranger: "Page") -> None:
    stranger.goto(storage.url)
    with stranger.expect_download(timeout=20_000) as download:
        stranger.get_by_role("link", name="data").click()
    assert Path(download.value.path()).read_text() == "a\n1\n"


@pytest.mark.needs("chromium")
def test_a_listing_can_be_read_on_a_phone_and_in_the_dark(storage: ServedStorage, page: "Page") -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    backgrounds = set()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.goto(f"{storage.url}committees/")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, "only the tables scroll"
        backgrounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(backgrounds) == 2
    assert page.evaluate("getComputedStyle(document.querySelector('h1')).direction") == "rtl"
    assert page.locator("td", has_text="integer").count() == 1
    with page.expect_download(timeout=20_000) as download:
        page.get_by_role("link", name="a.csv").first.click()
    assert download.value.suggested_filename == "a.csv"
