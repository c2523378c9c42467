"""An environment's page, and a deployment's: what is there and what changed, with the data behind one click."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Browser, expect

from bot.settings import load_settings
from cluster.sync.helm.desired import release_name
from cluster.sync.local.environment import LocalEnvironment, environment_folder
from cluster.sync.local.environment_data import environment_schedules
from tests.support.environments import put_outcome, put_rows
from tests.support.page_states import PageState, serve_states
from tests.support.pages import make_world
from tests.support.world import STAGING
from webhooks.data_pages import DataPages
from webhooks.environment_page import EnvironmentView

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


def test_what_runs_next_by_schedule_is_told(tmp_path: Path) -> None:
    release = put_rows(tmp_path, STAGING, ["France"])
    put_outcome(release, {"./a": "0 6 * * *", "./b": None, "./c": "*/5 * * * *", "./d": "no crontab line"})
    schedules = environment_schedules(tmp_path, "ann/app", "staging")
    assert schedules == (("./a", "0 6 * * *"), ("./c", "*/5 * * * *"), ("./d", "no crontab line"))
    assert LocalEnvironment(environment_folder(tmp_path, STAGING)).current() == release

    class Scheduled(DataPages):
        def schedules(self, *_: str) -> tuple[tuple[str, str], ...]:
            return schedules

    world = make_world(tmp_path)
    now = datetime(2026, 1, 1, 12, 1, tzinfo=UTC)
    view = EnvironmentView(world.store, None, Scheduled(None, None), None, lambda: now)
    found = [(run.pipeline, run.time.isoformat()) for run in view._next_runs("ann/app", "staging")]
    assert found == [("./c", "2026-01-01T12:05:00+00:00"), ("./a", "2026-01-02T06:00:00+00:00")]
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
