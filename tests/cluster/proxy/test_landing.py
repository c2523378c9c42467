"""The page at `/` of a public cluster: whole in a browser, its limits those of the file, and nothing runs in it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

from bot.errors import DppctlError
from cluster.proxy.application import ProxyAbout
from cluster.proxy.landing import LandingPage, PublicAbout, limit_lines
from cluster.runs_api import LoginInfo
from cluster.usage.limits_file import LimitValues
from tests.support.kubeconfig import kubeconfig_of
from tests.support.stories.proxy_world import ProxyWorld

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.slow
ABOUT = PublicAbout("https://runs.example.org", "the <Lab>", "abuse@example.org", 90)


@pytest.fixture
def landing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ProxyWorld]:
    monkeypatch.setattr("cluster.proxy.landing.LANDING_SECONDS", 0)
    (tmp_path / "limits.yaml").write_text("default: {runs: 5, publishedBytes: null}\n")
    world = ProxyWorld(tmp_path, kubeconfig_of(tmp_path, "http://127.0.0.1:9"), "runs", "http://127.0.0.1:9")
    about = replace(ABOUT, limits_file=tmp_path / "limits.yaml")
    world.options = replace(world.options, about=ProxyAbout("Open Lab", "1.2.3", LoginInfo(public=True), about))
    with world.running():
        yield world


def test_the_page_says_how_one_begins_and_its_limits_are_those_of_the_file(
    landing: ProxyWorld, tmp_path: Path, page: "Page"
) -> None:
    page.goto(f"{landing.url}/")  # a style that the page's own policy refuses would be an error of the console
    assert page.title() == "Open Lab: a public dppctl cluster"
    assert page.locator("h1").count() == 1
    assert page.locator("pre").all_inner_texts() == [
        "dppctl init public --url https://runs.example.org", "dppctl run all", "dppctl usage",
    ]  # fmt: skip
    assert page.get_by_role("link", name="Log in").get_attribute("href") == "/auth/login?next=/"
    assert page.get_by_role("link", name="abuse@example.org").get_attribute("href") == "mailto:abuse@example.org"
    assert page.get_by_text("This cluster is run by the <Lab>.").is_visible()
    assert page.get_by_text("What is published is removed after 90 days.").is_visible()
    limits = dict(row.split("\t") for row in page.locator("tr").all_inner_texts())
    assert (limits["Runs at a time"], limits["Published in 24 hours"]) == ("5", "no limit")
    for width in (320, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), width
    (tmp_path / "limits.yaml").write_text("default: {runs: many}\n")
    assert "<td>5</td>" in requests.get(landing.url, timeout=5).text, "while it is broken, what it said before holds"
    (tmp_path / "limits.yaml").write_text("default: {runs: 7}\n")
    answer = requests.get(landing.url, timeout=5)
    assert "<td>7</td>" in answer.text
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert requests.get(f"{landing.url}/v1/login", timeout=5).json()["public"] is True


def test_limits_are_said_in_words() -> None:
    assert dict(limit_lines(LimitValues())) == {
        "Runs at a time": "2",
        "Runs that wait for a worker": "20",
        "Databases at a time": "1",
        "Time of one run": "1 hour",
        "Time of all runs in 24 hours": "4 hours",
        "Files of one run, packed": "256 MiB",
        "Published in 24 hours": "1 GiB",
        "Terminals (dppctl ssh) in 24 hours": "30 minutes",
        "Requests a minute": "60",
    }
    shown = dict(limit_lines(LimitValues.model_validate({"uploadBytes": 0, "publishedBytes": 1536, "runs": None})))
    assert shown["Runs at a time"] == "no limit"
    assert (shown["Files of one run, packed"], shown["Published in 24 hours"]) == ("0 bytes", "1.5 KiB")


def test_a_broken_file_of_limits_is_said_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "limits.yaml").write_text("default: {runs: many}\n")
    with pytest.raises(DppctlError, match=r"limits\.yaml:1: default\.runs"):
        LandingPage("lab", "1", replace(ABOUT, limits_file=tmp_path / "limits.yaml"))


def test_a_private_cluster_has_no_such_page(tmp_path: Path) -> None:
    world = ProxyWorld(tmp_path, kubeconfig_of(tmp_path, "http://127.0.0.1:9"), "runs", "http://127.0.0.1:9")
    with world.running():
        assert requests.get(world.url, timeout=5).status_code == 404
