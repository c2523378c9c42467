"""The page of use in a real browser: on a phone, in the dark, for who cannot see it, and without anything inline."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from cluster.usage.tables import RunUsage
from tests.support.stories.usage_world import UsageWorld

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.slow]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[UsageWorld]:
    world, now = UsageWorld(tmp_path), datetime.now(UTC)
    with world.service.database.write() as session:
        for number in range(30):
            at = now - timedelta(hours=5 * number)
            session.add(
                RunUsage(
                    uid=str(number),
                    run=f"run-{number:016x}",
                    user="github:583231",
                    worker_seconds=600 * number,
                    database_seconds=0,
                    rows=10**6,
                    bytes_in=10**6,
                    bytes_published=0,
                    created=at,
                    started=at,
                    ended=at,
                    outcome="Succeeded",
                    noticed="",
                    is_closed=True,
                )
            )
    with world.running():
        yield world
    world.service.close()


def test_the_page_fits_a_phone_follows_light_and_dark_and_says_its_charts(world: UsageWorld, browser: Browser) -> None:
    problems: list[str] = []
    page = browser.new_page(viewport={"width": 360, "height": 740}, color_scheme="light")
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.goto(f"{world.url.replace('127.0.0.1', 'localhost')}/usage/?since=7d&user=github:583231")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(background) != light
    chart = page.get_by_role("img", name="Worker-hours a day: ")
    assert chart.count() == 1
    bars = chart.locator("rect")
    assert bars.count() == 8
    assert max(float(each.get_attribute("height") or 0) for each in bars.all()) == 140
    page.get_by_text("Worker-hours a day, as a table").click()
    assert page.get_by_role("table", name="Worker-hours a day").get_by_role("row").count() == 9
    assert page.get_by_role("meter").count() == 6
    page.get_by_role("link", name="30d").click()
    assert page.get_by_role("img", name="Runs a day: 30 runs in all").count() == 1
    page.close()
    assert problems == []
