"""`python -m tests.support.screenshots FOLDER [NAME…]`: pictures of the pages in every state.

Of each there are four: of a phone and of a screen, in light and in dark.
"""

import os
import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser, sync_playwright

from tests.support.needs import chromium
from tests.support.page_states import serve_states

WIDTHS = (390, 1280)
SCHEMES = ("light", "dark")


def take(browser: Browser, folder: Path, names: list[str]) -> int:
    """Write NAME-WIDTH-SCHEME.png for each state, or those named; return how many."""
    written = 0
    with ExitStack() as ends:
        served = []
        for is_empty in (True, False):
            temporary = Path(ends.enter_context(TemporaryDirectory()))
            served.append(ends.enter_context(serve_states(temporary, is_empty=is_empty)))
        for width in WIDTHS:
            for scheme in SCHEMES:
                context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
                page = context.new_page()
                for url, states in served:
                    for state in states:
                        if names and state.name not in names:
                            continue
                        page.goto(url + state.path)
                        page.screenshot(path=folder / f"{state.name}-{width}-{scheme}.png", full_page=True)
                        written += 1
                context.close()
    return written


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    arguments = ["--disable-gpu", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=arguments)
        written = take(browser, folder, sys.argv[2:])
        browser.close()
    print(f"{written} pictures in {folder}")


if __name__ == "__main__":
    main()
