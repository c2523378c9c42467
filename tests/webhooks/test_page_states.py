"""Each page in each state: nothing is wider than the screen, every target can be hit, and axe finds nothing."""

from collections.abc import Iterator
from contextlib import ExitStack
from importlib.resources import files
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser

from tests.support.page_states import PageState, serve_states

AXE = files("axe_playwright_python") / "axe.min.js"
Served = list[tuple[str, list[PageState]]]

# A target is what can be hit: https://www.w3.org/WAI/WCAG22/Understanding/target-size-minimum.html. A link within a
# sentence may be as high as its line.
SMALL_TARGETS = """() => [...document.querySelectorAll('a, button, summary, input, select')]
  .filter((found) => {
    const box = found.getBoundingClientRect();
    if (!box.width || found.type === 'hidden') return false;
    const around = found.closest('p, li, h1, h2, h3, dd');
    const inText = found.tagName === 'A' && around && around.textContent.trim() !== found.textContent.trim();
    return !inText && (box.height < 24 || box.width < 24);
  }).map((found) => found.outerHTML.slice(0, 120))"""
# What sticks out is not seen, as the page does not scroll sideways; what scrolls by itself may be wider.
WIDE = """(width) => [...document.querySelectorAll('body *')]
  .filter((found) => found.getBoundingClientRect().right > width + 0.5 && !found.closest('.scroll, pre'))
  .map((found) => found.outerHTML.slice(0, 120))"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with ExitStack() as ends:
        folders: list[Path] = [tmp_path_factory.mktemp(name) for name in ("empty", "full")]
        yield [
            ends.enter_context(serve_states(folder, is_empty=is_empty))
            for folder, is_empty in zip(folders, (True, False), strict=True)
        ]


def paths(served: Served) -> Iterator[tuple[str, str]]:
    for url, states in served:
        for state in states:
            yield state.name, url + state.path


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(served: Served, browser: Browser, scheme: Literal["light", "dark"]) -> None:
    context = browser.new_context(color_scheme=scheme, bypass_csp=True)  # axe is put into the page
    page = context.new_page()
    found = {}
    for name, url in paths(served):
        page.goto(url)
        for summary in page.locator("summary").all():
            if summary.is_visible():
                summary.click()
        page.evaluate(AXE.read_text())
        violations = page.evaluate("axe.run().then((found) => found.violations)")
        found[name] = [(one["id"], one["nodes"][0]["html"][:200]) for one in violations]
    context.close()
    assert {name: violations for name, violations in found.items() if violations} == {}


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_nothing_is_wider_than_the_screen_and_every_target_can_be_hit(
    served: Served, browser: Browser, width: int
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 740})
    found = {}
    for name, url in paths(served):
        page.goto(url)
        wide = page.evaluate(WIDE, width) if page.evaluate("document.documentElement.scrollWidth") > width else []
        found[name] = [*wide, *page.evaluate(SMALL_TARGETS)]
    page.close()
    assert [(name, problem) for name, problems in found.items() for problem in problems] == []
