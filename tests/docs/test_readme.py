"""The first page is short, narrow and whole: what a newcomer has to type and to know is counted."""

import re

import pytest

from tests.support.docs.pages import ROOT, text_of
from tests.support.newcomer import read_first_page

PAGE = "README.md"
WIDTH, COMMANDS, CONCEPTS, PICTURE = 100, 5, 8, 150_000
# What one meets later, on the pages that this one leads to.
LATER = (
    "webhook",
    "receiver",
    "bot",
    "sync",
    "worker",
    "pod",
    "operator",
    "proxy",
    "registry",
    "machine user",
    "chart",
)


def test_no_line_is_wider_than_a_terminal() -> None:
    wide = [line for page in (PAGE, "CONTRIBUTING.md") for line in text_of(page).splitlines() if len(line) > WIDTH]
    assert wide == []


def test_it_takes_five_commands_to_a_push() -> None:
    page = read_first_page()
    assert len(page.types) == COMMANDS
    assert re.findall(r"\*\*(\d)\.\*\*", text_of(PAGE)) == [str(number) for number in range(1, COMMANDS + 1)]
    assert set(page.files) == {"prices.csv", "pipeline-spec.yaml"}


def test_it_has_at_most_eight_concepts_each_in_a_sentence_or_two() -> None:
    marked = text_of(PAGE).partition("<!-- concepts -->")[2].partition("<!-- end of concepts -->")[0]
    lines = re.split(r"^- ", marked, flags=re.MULTILINE)[1:]
    assert 0 < len(lines) <= CONCEPTS
    assert all(re.search(r"\*\*.+?\*\* is ", line) and len(line) < 2 * WIDTH for line in lines)
    prose = re.sub(r"```.*?```|^\|.*?$|^    .*?$|\]\(.*?\)", "", text_of(PAGE), flags=re.DOTALL | re.MULTILINE)
    assert [word for word in LATER if re.search(rf"\b{word}s?\b", prose)] == []


def test_its_picture_is_there_and_small() -> None:
    (name,) = re.findall(r"!\[[^]]+\]\(([^)]+)\)", text_of(PAGE))
    picture = (ROOT / name).read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) < PICTURE


@pytest.mark.parametrize(
    "page", sorted([PAGE, "CONTRIBUTING.md", *(f"docs/{file.name}" for file in ROOT.glob("docs/*.md"))])
)
def test_its_links_lead_to_files_and_headings(page: str) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", text_of(page), flags=re.DOTALL)):
        if target.startswith(("https://", "http://")):
            continue
        name, _, heading = target.partition("#")
        file = (ROOT / page).parent / name if name else ROOT / page
        assert file.exists(), f"{page}: {target}"
        assert not heading or heading in _anchors(file.read_text()), f"{page}: {target}"


def _anchors(text: str) -> set[str]:
    """Return the names that GitHub gives to headings."""
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
