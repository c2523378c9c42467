"""What a push brought is seen row by row, two clicks from the start; what broke it, by the line that did."""

import re
from pathlib import Path

from playwright.sync_api import Browser, expect

from cluster.local.workers.dpp_environment import DppEnvironment
from tests.support.environment import processes_with
from tests.support.forge import APP, FLOW
from tests.support.up import Up
from tests.support.waiting import SECONDS_TO_WAIT, eventually
from tests.support.world import World


def test_rows_of_what_was_pushed_are_two_clicks_away_and_a_mistake_is_shown_where_it_is(
    runtime: DppEnvironment, tmp_path: Path, browser: Browser
) -> None:
    assert runtime.bin.is_dir()
    world = World(tmp_path)
    world.app.push({**APP, "rows.py": FLOW})
    assert world.ops.log() == ["start"]
    config = world.write_config(RESYNC_SECONDS="1")
    up = Up(config)
    page = browser.new_page()
    try:
        address = up.address(SECONDS_TO_WAIT)
        page.goto(address)
        page.get_by_role("link", name="data: staging of ann/app").click(timeout=SECONDS_TO_WAIT * 1000)
        expect(page.locator("#running")).to_contain_text("3 rows in 1 table, the first")
        page.get_by_role("link", name="open numbers").click()
        expect(page.locator("table.rows-and-columns tbody tr")).to_have_count(3)

        world.app.push({"rows.py": FLOW.replace("range(3)", "range(5)")})
        page.goto(address)
        expect(page.locator("#environments")).to_contain_text("5 rows (+2)", timeout=SECONDS_TO_WAIT * 1000)
        page.get_by_role("link", name="data: staging of ann/app").click()
        page.get_by_role("link", name="open numbers").click()
        expect(page.locator("table.rows-and-columns tbody tr")).to_have_count(5)

        world.app.push({"rows.py": FLOW.replace("range(3)", "range(int('many'))")})
        page.goto(f"{address}/apps/ann/app/staging")
        failed = page.locator("#newest", has_text="failed")
        expect(failed).to_contain_text("rows.py:", timeout=SECONDS_TO_WAIT * 1000)
        expect(page.locator("#running")).to_contain_text("5 rows (+2)")
        failed.get_by_role("link", name="master").click()
        headline = page.locator(".headline")
        expect(headline).to_have_text(re.compile(r"rows\.py:\d+ in flow: invalid literal for int\(\).*'many'"))
        expect(page.locator(".source .it")).to_contain_text("range(int('many'))")
    finally:
        page.close()
        up.kill()
    eventually(lambda: not processes_with(str(config)), "the server of rows has ended too")
