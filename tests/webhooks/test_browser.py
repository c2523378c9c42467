"""The dashboard in a real browser."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from bot.model.decisions import Ref, Refusal
from bot.model.names import RepoPath
from bot.settings import Settings
from bot.store.store import Store
from cli.servers.gunicorn import Receiver as RealReceiver
from tests.support.receiver import MakeReceiver, Receiver
from webhooks.times import ago

RECEIPT = {
    "status": "succeeded",
    "pipelines": [
        {
            "id": "./one",
            "status": "succeeded",
            "rows": 1234,
            "seconds": 2.5,
            "hash": "d41d8cd98f00b204e9800998ecf8427e",
            "resources": [{"name": "numbers", "rows": 1234, "fields": [{"name": "number", "type": "integer"}]}],
        }
    ],
    "started": "2026-01-01T00:00:00Z",
    "ended": "2026-01-01T00:00:03Z",
}
HOSTILE = "<script>document.title = 'hacked'</script><img src=x onerror=\"document.title = 'hacked'\">"


def test_an_open_page_shows_a_deployment_from_its_start_to_its_rows(receiver: Receiver, page: Page) -> None:
    page.goto(receiver.url)
    expect(page.locator("#live")).to_have_text("live")
    staging = page.locator("#environments tbody td").nth(0)
    expect(staging).to_contain_text("nothing runs here yet")
    page.evaluate("window.sameDocument = true")

    receiver.report(phase="started")
    expect(staging).to_contain_text("running")
    page.locator("#deployments a", has_text="master").click()
    page.evaluate("window.sameDocument = true")
    expect(page.locator("#live")).to_have_text("live")
    receiver.report(phase="progress", message="./one: 100 rows", log="one line\n")
    expect(page.locator("#log")).to_have_text("one line\n")
    receiver.report(phase="succeeded", message="1234 rows", receipt=RECEIPT, log="another\n")
    expect(page.locator("#timeline li")).to_have_count(3)
    expect(page.locator("#receipt")).to_contain_text("1,234")
    expect(page.locator("#receipt")).to_contain_text("integer")
    expect(page.locator("#log")).to_have_text("one line\nanother\n")
    assert page.evaluate("window.sameDocument")  # it was never loaded again
    page.go_back()
    expect(staging).to_contain_text("1,234 rows")


def test_what_pipelines_write_stays_text(receiver: Receiver, page: Page) -> None:
    receiver.report(phase="failed", message=HOSTILE, log=HOSTILE)
    page.goto(f"{receiver.url}/deployments/1")
    expect(page.locator(".error")).to_have_text(HOSTILE)
    expect(page.locator("#log")).to_have_text(HOSTILE)
    page.goto(receiver.url)
    expect(page.locator("#deployments .why")).to_have_text(HOSTILE)
    assert "hacked" not in page.title()


def test_a_change_is_shown_when_the_network_was_away_as_it_was_told(receiver: Receiver, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(receiver.url)
    expect(page.locator("#live")).to_have_text("live")
    page.context.set_offline(True)  # for what the page asks; the events that it listens to still come
    with page.expect_event("requestfailed"):
        receiver.report(phase="started")
    page.context.set_offline(False)
    expect(page.locator("#deployments")).to_contain_text("running")
    page.close()


def test_a_page_is_live_again_after_the_server_was_away(
    config: Path, settings: Settings, store: Store, browser: Browser
) -> None:
    first = RealReceiver(config, settings)
    page = browser.new_page()
    page.goto(first.address)
    expect(page.locator("#live")).to_have_text("live")
    first.stop()
    expect(page.locator("#live")).to_have_text("not live")
    port = int(first.address.rpartition(":")[2])
    second = RealReceiver(config, settings.replace("listen", port=port))
    try:
        Receiver(second.address, store).report(settings.sync.token.get_secret_value(), phase="started")
        expect(page.locator("#live")).to_have_text("live")
        expect(page.locator("#deployments")).to_contain_text("running")
    finally:
        page.close()
        second.stop()


def test_without_javascript_it_says_the_same(receiver: Receiver, browser: Browser) -> None:
    receiver.report(phase="succeeded", receipt=RECEIPT)
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(receiver.url)
    expect(page.locator("#environments")).to_contain_text("1,234 rows")
    assert page.locator("meta[http-equiv=refresh]").count() == 1
    page.locator("#deployments a", has_text="master").click()
    expect(page.locator("#receipt")).to_contain_text("number")
    context.close()


def test_what_failed_shows_no_rows_as_delivered(receiver: Receiver, page: Page) -> None:
    receiver.report(phase="failed", message="./two: it broke", receipt=RECEIPT | {"status": "failed"})
    page.goto(receiver.url)
    expect(page.locator("#deployments tbody .outcome")).to_have_text("./two: it broke")
    expect(page.locator("#environments")).not_to_contain_text("1,234")
    page.goto(f"{receiver.url}/deployments/1")
    expect(page.locator("main")).not_to_contain_text("1,234 rows")
    expect(page.locator("main")).to_contain_text("Not delivered: these rows were counted before it failed.")


def test_a_refused_configuration_is_shown_in_the_matrix_until_something_is_deployed(
    receiver: Receiver, page: Page
) -> None:
    receiver.report(phase="succeeded", receipt=RECEIPT)
    message = ".dppctl.yaml:3: colour is unknown"
    receiver.store.deployments.refuse(
        Refusal(RepoPath.parse("ann/app"), "", Ref("refs/heads/master", "e" * 40), message)
    )
    page.goto(receiver.url)
    row = page.locator("#environments tbody th")
    expect(row.locator(".refused")).to_have_text("refused")
    expect(row).to_contain_text(message)
    receiver.report(phase="succeeded", ops_commit="c" * 40, commit="f" * 40, receipt=RECEIPT)
    expect(page.locator("#environments .refused")).to_have_count(0)


def test_focus_selection_and_scroll_stay_when_something_changes(make_receiver: MakeReceiver, browser: Browser) -> None:
    receiver = make_receiver("ann/app")
    for number in range(3):
        receiver.report(ops_commit=f"{number}" * 40, phase="failed", message="why", log=f"{'y' * 200}\n" * 100)
    page = browser.new_page(viewport={"width": 700, "height": 740})
    page.goto(receiver.url)
    expect(page.locator("#live")).to_have_text("live")
    page.locator("#deliveries summary").click()
    page.locator("#deployment-2 a", has_text="master").focus()
    page.evaluate("document.getSelection().selectAllChildren(document.querySelector('#deployment-2 .why'))")
    scrolled = "document.querySelector('#deployments').parentElement.scrollLeft"
    page.evaluate(f"{scrolled} = 120")
    receiver.report(ops_commit="d" * 40, phase="started")  # a row above it
    expect(page.locator("#deployments tbody tr")).to_have_count(4)
    assert page.evaluate("document.activeElement.closest('tr')?.id") == "deployment-2"
    assert page.evaluate("document.getSelection().toString()") == "why"
    assert page.evaluate(scrolled) == 120
    expect(page.locator("#deliveries")).to_have_attribute("open", "")

    page.goto(f"{receiver.url}/deployments/3")
    expect(page.locator("#live")).to_have_text("live")
    log = page.locator("#log")
    log.focus()
    log.evaluate("element => { element.scrollTop = 50 }")
    receiver.report(ops_commit="2" * 40, phase="scheduled", message="./one: 5 rows", log="z\n")
    expect(page.locator("#timeline")).to_contain_text("./one: 5 rows")
    assert page.evaluate("document.activeElement.id") == "log"
    assert log.evaluate("element => element.scrollTop") == 50
    page.close()


def test_more_pages_than_the_server_has_threads_are_live(receiver: Receiver, browser: Browser) -> None:
    context = browser.new_context()
    pages = [context.new_page() for _ in range(20)]
    for page in pages:
        page.goto(receiver.url)
    receiver.report(phase="started")
    for page in pages:
        expect(page.locator("#live")).to_have_text("live")
        expect(page.locator("#deployments")).to_contain_text("running")
    context.close()


def test_a_filter_that_somebody_chooses_stays_when_something_changes(receiver: Receiver, page: Page) -> None:
    receiver.report(phase="failed", message="why")
    page.goto(f"{receiver.url}/?state=failed")
    expect(page.locator("#live")).to_have_text("live")
    page.get_by_label("Environment", exact=True).select_option("staging")
    page.get_by_label("Environment", exact=True).focus()
    receiver.report(ops_commit="c" * 40, phase="failed", message="again")
    expect(page.locator("#deployments tbody tr")).to_have_count(2)
    assert page.get_by_label("Environment", exact=True).input_value() == "staging"
    assert page.evaluate("document.activeElement.name") == "environment"
    page.keyboard.press("Tab")
    page.get_by_role("button", name="Show").click()
    expect(page).to_have_url(f"{receiver.url}/?app=&environment=staging&state=failed#list")
    expect(page.locator("#deployments tbody tr")).to_have_count(2)
    page.get_by_role("link", name="all", exact=True).click()
    expect(page).to_have_url(f"{receiver.url}/#list")


def test_an_open_page_says_how_long_ago_as_the_server_does(receiver: Receiver, page: Page) -> None:
    receiver.report(phase="failed", message="why")
    page.goto(receiver.url)
    now = datetime.now(UTC)
    seconds = [0, 30, 90, 7_000, 90_000, 2_000_000, 90_000_000, 3_000_000_000, -4_000, -10]
    moments = [now - timedelta(seconds=number) for number in seconds]
    times = [moment.isoformat() for moment in moments]
    script = """times => {
        const time = document.querySelector("time.ago");
        return times.map(text => { time.dateTime = text; tellTimes(); return time.textContent; });
    }"""
    assert page.evaluate(script, times) == [ago(moment, now) for moment in moments]


def test_it_fits_a_telephone(make_receiver: MakeReceiver, browser: Browser) -> None:
    name = "OriHoch/dppctl/examples/customDockerImageAndContinuousDeployment"
    receiver = make_receiver(name)
    receiver.report(app=name, phase="succeeded", receipt=RECEIPT)
    receiver.report(app=name, phase="failed", ops_commit="c" * 40, message="x" * 500, log="y" * 5000, receipt=RECEIPT)
    receiver.deliver(headers={"X-GitHub-Delivery": "12345678-1234-1234-1234-123456789012"})
    page = browser.new_page(viewport={"width": 360, "height": 740})
    page.goto(receiver.url)
    touched = page.locator("a:visible, button:visible, select:visible, summary:visible")
    heights = touched.evaluate_all("found => found.map(element => element.getBoundingClientRect().height)")
    assert min(heights) >= 24
    for path in ("/", "/deployments/1", "/deployments/2"):
        page.goto(receiver.url + path)
        if path == "/":
            page.locator("#deliveries summary").click()
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        texts = page.locator("main :is(h1, p, td, th, li, .why):visible")
        ends = texts.evaluate_all("found => found.map(element => element.getBoundingClientRect().right)")
        assert max(ends) <= 360
    page.close()
