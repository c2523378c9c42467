"""An environment's page, and a deployment's: what is there and what changed, with the data behind one click."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Browser, expect

from bot.model.reports import SyncEvent
from bot.settings import load_settings
from cli.environment_rows import columns_of, environment_rows
from cluster.sync.helm.desired import release_name
from tests.support.page_states import PageState, serve_states
from tests.support.pages import make_world
from tests.support.world import STAGING

Served = tuple[str, dict[str, PageState]]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with ExitStack() as ends:
        url, states = ends.enter_context(serve_states(tmp_path_factory.mktemp("states")))
        yield url, {state.name: state for state in states}


def text_of(served: Served, name: str) -> str:
    url, states = served
    page = requests.get(url + states[name].path, timeout=60).text.partition("<main>")[2]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", page))


def test_from_the_start_to_a_row_of_the_data_in_two_clicks(served: Served, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(f"{served[0]}/")
    page.get_by_role("link", name="data: staging of demo/tz-data").click()
    page.get_by_role("link", name="open countries").click()
    expect(page.locator("table.rows-and-columns")).to_contain_text("France")
    page.close()


def test_a_table_is_downloaded_as_csv(served: Served, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(f"{served[0]}/apps/demo/tz-data/staging")
    with page.expect_download() as download:
        page.get_by_role("link", name="countries as CSV").click()
    assert download.value.suggested_filename == "countries.csv"
    assert Path(download.value.path()).read_text().splitlines()[1] == "1,France"
    page.close()


def test_it_says_what_is_there_since_when_and_from_what(served: Served) -> None:
    text = text_of(served, "environment-live")
    assert "505 rows (+22) in 2 tables, 2 new columns: countries.capital, zones.capital since" in text
    assert "UTC from master 0000000d00 Countries have their capitals by Ann Example" in text
    assert "252 +11 new column: capital 4 columns" in text
    assert "13 runs, 1 of them not succeeded" in text


def test_it_says_what_it_waits_for_that_it_is_held_and_what_failed(served: Served) -> None:
    assert "waits for staging, and goes on by itself" in text_of(served, "environment-waiting")
    held = text_of(served, "environment-held")
    assert "held since" in held
    assert "by ann until" in held
    assert "the source is wrong until Monday" in held
    failed = text_of(served, "environment-failed")
    assert "zones.py:33: ValueError" in failed
    assert "The data below is as it was before." in failed
    assert "180 rows" in failed or "181 rows" in failed


def test_what_has_nothing_yet_says_what_to_type(served: Served) -> None:
    assert "dppctl deploy ann/nothing staging" in text_of(served, "environment-empty")


def test_a_deployment_begins_with_what_changed(served: Served) -> None:
    text = text_of(served, "deployment-live")
    assert text.index("505 rows (+22) in 2 tables") < text.index("Timeline")
    assert "Compared with deployment 12." in text
    assert "new column: capital" in text


def test_a_deployment_that_failed_begins_with_the_users_own_line(served: Served) -> None:
    url, states = served
    page = requests.get(url + states["deployment-failed"].path, timeout=60).text
    text = text_of(served, "deployment-failed")
    headline = text.index("zones.py:33 in zones: not enough values to unpack (expected 5, got 3)")
    assert headline < text.index("code, latitude, longitude, zone, comments = line.split") < text.index("Timeline")
    assert re.search(r'href="https://github.com/ann/failing/blob/[0-9a-f]{40}/zones.py#L33"', page)
    assert "<summary>All of the error</summary>" in page


def test_the_file_is_named_within_the_repository(tmp_path: Path) -> None:
    github = load_settings(tmp_path, {"DPPCTL_WEBHOOK_SECRETS": "x"}).github
    url = github.line_url("ann/app", "a" * 40, "pipelines/a b.py", 7)
    assert url == f"https://github.com/ann/app/blob/{'a' * 40}/pipelines/a%20b.py#L7"


def test_violated_expectations_are_a_list(served: Served) -> None:
    url, states = served
    page = requests.get(url + states["deployment-violated"].path, timeout=60).text
    assert page.count("maxDropPercent is 20</bdi></p>") == 1
    assert page.count("columns is keep</bdi></p>") == 1


def test_what_waits_at_a_gate_leads_to_what_it_waits_for(served: Served, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(served[0] + served[1]["deployment-waiting"].path)
    expect(page.locator("#gate")).to_contain_text("Waits for staging")
    page.locator("#gate a").click()
    expect(page).to_have_url(f"{served[0]}/apps/demo/tz-data/staging")
    page.close()


def test_names_are_isolated_from_the_direction_of_what_is_around_them(served: Served) -> None:
    url, states = served
    for name in ("environment-hebrew", "deployment-hebrew"):
        page = requests.get(url + states[name].path, timeout=60).text
        for text in ("ועדות", "אורי הוך", "ועדות הכנסת: נוספה עמודה (chair)", "יושב ראש"):
            assert re.search(rf"<bdi[^>]*>{re.escape(text)}</bdi>", page), text


def test_what_runs_next_by_schedule_is_told_on_the_page_by_the_api_and_the_command(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    report = {"ops_commit": "1" * 40, "app": "ann/app", "environment": "staging", "ref": "refs/heads/main",
              "commit": "2" * 40, "phase": "succeeded", "time": "2026-01-01T00:00:00Z"}  # fmt: skip
    vienna = {"pipeline": "./a", "schedule": "0 6 1 1 *", "time_zone": "Europe/Vienna"}
    for schedules in ((vienna,), None):  # of which the second says nothing
        world.store.deployments.report(SyncEvent.model_validate({**report, "schedules": schedules}))
    year = datetime.now(UTC).year + 1
    text = re.sub(r"<[^>]+>", "", world.client().get("/apps/ann/app/staging").get_data(as_text=True))
    assert f"./a next {year}-01-01 05:00:00 UTC 0 6 1 1 * (Europe/Vienna)" in text
    staging, production = world.client().get("/api/environments").get_json()["environments"]
    assert staging["next_runs"] == [{**vienna, "time": f"{year}-01-01T05:00:00Z"}]
    assert production["next_runs"] == []
    rows = {row["environment"]: row["next run"] for row in environment_rows(world.store, ())}
    assert rows["staging"] == f"{year}-01-01T05:00:00+00:00"
    with_time, without = (set(columns_of([{"next run": one}])) for one in ("x", None))
    assert with_time - without == {"next run"}
    world.store.deployments.report(SyncEvent.model_validate({**report, "schedules": ()}))
    assert "By schedule" not in world.client().get("/apps/ann/app/staging").get_data(as_text=True)
    world.store.close()


def test_where_there_is_no_data_at_hand_the_page_says_where_it_is(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    text = world.client().get("/apps/ann/app/staging").get_data(as_text=True)
    assert "Rows are shown where dppctl up runs." in text
    world.store.close()


def test_of_an_environment_on_a_cluster_the_page_says_how_its_database_is_reached(tmp_path: Path) -> None:
    world = make_world(tmp_path, release_of=release_name)
    text = world.client().get("/apps/ann/app/staging").get_data(as_text=True)
    assert f"<code>helm get notes {release_name(STAGING)} --namespace NAMESPACE</code>" in text
    world.store.close()
