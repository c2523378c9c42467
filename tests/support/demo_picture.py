"""`python -m tests.support.demo_picture FILE`: the first page's picture, of staging as the demo leaves it.

It tells the demo (examples/demo.py), opens the environment's page in Chromium, and writes a PNG of its upper part.
"""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.support.environment import REPOSITORY
from tests.support.needs import chromium

WIDTH, HEIGHT = 1000, 640  # in CSS pixels; half of that fits a page of GitHub
PAGE = "apps/demo/tz-data/staging"


def main() -> None:
    demo = subprocess.Popen(
        [sys.executable, str(REPOSITORY / "examples" / "demo.py")], stdout=subprocess.PIPE, text=True
    )
    try:
        told = []
        for line in demo.stdout or ():
            told.append(line)
            if "Ctrl-C ends it" in line:
                break
        found = re.search(r"All deployments, .*: (http://\S+)", "".join(told))
        assert found, "".join(told)
        take(f"{found[1]}{PAGE}", Path(sys.argv[1]))
    finally:
        demo.send_signal(signal.SIGINT)
        demo.wait()


def take(url: str, file: Path) -> None:
    """Write what a browser shows of a page. Colours are few, so that the file is small."""
    arguments = ["--disable-gpu", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=arguments)
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        page.goto(url)
        page.screenshot(path=file)
        browser.close()
    print(f"{file}: {file.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
