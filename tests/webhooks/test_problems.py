"""What is answered when something is not there, not allowed or broken."""

import re
from pathlib import Path
from unittest.mock import patch

import pytest
from sqlalchemy.exc import OperationalError

from tests.support.pages import APP, PagesWorld, make_world

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.fixture
def world(tmp_path: Path) -> PagesWorld:
    return make_world(tmp_path)


@pytest.mark.parametrize(
    "path", ["/nothing", "/deployments/999", "/apps/ann/app/elsewhere", "/deployments/99999999999"]
)
def test_what_is_not_there_is_a_page_for_people_and_json_for_programs(world: PagesWorld, path: str) -> None:
    page = world.client().get(path, headers=BROWSER)
    assert (page.status_code, page.mimetype) == (404, "text/html")
    text = page.get_data(as_text=True)
    assert "Not found" in text
    assert 'href="/"' in text
    for headers in ({}, {"Accept": "*/*"}, {"Accept": "application/json"}):
        answer = world.client().get(path, headers=headers)
        assert (answer.status_code, [*answer.get_json()]) == (404, ["error"])


def test_programs_get_json_whatever_they_say_that_they_take(world: PagesWorld) -> None:
    for path in ("/api/deployments/999", "/api/nothing", "/webhooks/github"):
        answer = world.client().get(path, headers=BROWSER)
        assert answer.mimetype == "application/json", path


def test_another_host_gets_a_page_that_names_the_settings(world: PagesWorld) -> None:
    page = world.client().get("/", headers={**BROWSER, "Host": "evil.example"})
    assert page.status_code == 403
    assert "DPPCTL_ALLOWED_HOSTS" in page.get_data(as_text=True)
    assert APP not in page.get_data(as_text=True)


def test_a_filter_that_cannot_be_is_told_with_what_it_may_be(world: PagesWorld) -> None:
    for query, message in (
        ("state=excellent", "none of building"),
        ("page=0", "no number from 1"),
        ("page=-1", "no number from 1"),
        ("page=9999999999999999999", "no number from 1"),
        ("app=" + "x" * 501, "longer than 500"),
    ):
        page = world.client().get(f"/?{query}", headers=BROWSER)
        assert page.status_code == 400
        assert re.search(message, page.get_data(as_text=True))
        assert world.client().get(f"/api/deployments?{query}").status_code == 400


def test_what_breaks_is_a_page_too_and_says_nothing_of_the_inside(world: PagesWorld) -> None:
    world.app.config["PROPAGATE_EXCEPTIONS"] = False
    with patch.object(world.store.totals, "change_number", side_effect=ValueError("inside")):
        page = world.client().get("/", headers=BROWSER)
        assert (page.status_code, page.mimetype) == (500, "text/html")
        assert "Something broke here" in page.get_data(as_text=True)
        assert "inside" not in page.get_data(as_text=True)
        assert [*world.client().get("/").get_json()] == ["error"]
    with patch.object(world.store.totals, "change_number", side_effect=OperationalError("SELECT", {}, Exception("x"))):
        page = world.client().get("/", headers=BROWSER)
        assert page.status_code == 503
        assert "Not now" in page.get_data(as_text=True)


def test_each_page_says_which_version_it_is_and_where_the_documentation_is(world: PagesWorld) -> None:
    for path in ("/", "/deployments/1", f"/apps/{APP}/staging", "/nothing"):
        text = world.client().get(path, headers=BROWSER).get_data(as_text=True)
        footer = text.partition("<footer")[2]
        assert re.search(r"dppctl \d+\.\d+", footer)
        assert "Documentation</a>" in footer
