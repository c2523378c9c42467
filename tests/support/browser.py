"""Chromium for tests: one of a process, a page of its own for each test. tests/conftest.py imports both fixtures."""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.support.needs import chromium, needs

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture(scope="session")
@needs("chromium")
def browser() -> "Iterator[Browser]":
    from playwright.sync_api import sync_playwright  # it takes a while, and few tests need it

    quiet = ["--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
    arguments = [*quiet, "--no-first-run", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: "Browser") -> "Iterator[Page]":
    """Any error that the browser tells of, a refused script too, fails the test."""
    page = browser.new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    yield page
    page.close()
    assert problems == []
