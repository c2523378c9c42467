"""The page on the architecture leads a newcomer through ten short files, and names no others."""

import re

from tests.support.environment import REPOSITORY

PAGE = (REPOSITORY / "docs" / "architecture.md").read_text()
LONGEST = 300  # lines


def test_the_page_names_ten_files_in_order_and_no_others() -> None:
    listed = re.findall(r"(?m)^(\d+)\. `([\w/]+\.py)`", PAGE)
    assert [int(number) for number, _ in listed] == list(range(1, 11))
    assert re.findall(r"[\w/]+\.py\b", PAGE) == [file for _, file in listed]


def test_the_files_are_there_and_short() -> None:
    for file in re.findall(r"[\w/]+\.py\b", PAGE):
        assert len((REPOSITORY / file).read_text().splitlines()) <= LONGEST, file


def test_the_folders_that_the_page_names_are_there() -> None:
    [table] = re.findall(r"(?s)\| folder \|.*?\n\n", PAGE)
    folders = re.findall(r"`([\w/]+/)`", "\n".join(row.split("|")[1] for row in table.split("\n") if row))
    assert len(folders) > 10
    assert [folder for folder in folders if not (REPOSITORY / folder).is_dir()] == []
