"""docs/security.md says only what a test shows, and names the test."""

import re

import pytest

from tests.support.environment import REPOSITORY

PAGE = (REPOSITORY / "docs" / "security.md").read_text()
NAMED = re.findall(r"tests/[\w/.]+\.py", PAGE)
CLAIMS = [line for line in PAGE.partition("\n## ")[0].splitlines() if line.startswith("| ") and line.count("|") == 4][
    1:
]


@pytest.mark.parametrize("file", sorted(set(NAMED)))
def test_a_test_that_is_named_exists(file: str) -> None:
    assert "def test_" in (REPOSITORY / file).read_text()


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim[:40])
def test_a_claim_names_its_test_or_says_that_there_is_none(claim: str) -> None:
    assert re.search(r"\(tests/[\w/.]+\.py|not ours to test", claim)
