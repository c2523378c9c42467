"""docs/security.md says only what a test shows, and names the test."""

import re

import pytest

from tests.support.environment import REPOSITORY

PAGE = (REPOSITORY / "docs" / "security.md").read_text()
NAMED = re.findall(r"tests/[\w/.]+\.py", PAGE)
_PEOPLE, _OTHERS = PAGE.partition("\n## Signed commits")[0].split("\n## Pushes, builds, pipelines and clusters")
CLAIMS = [line for line in _OTHERS.splitlines() if line.startswith("| ") and line.count("|") == 4][1:]
THREATS = [
    line for line in _PEOPLE.splitlines() if line.count("|") == 6 and line[:2] == "| " and "| left |" not in line
]


@pytest.mark.parametrize("file", sorted(set(NAMED)))
def test_a_test_that_is_named_exists(file: str) -> None:
    assert "def test_" in (REPOSITORY / file).read_text()


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim[:40])
def test_a_claim_names_its_test_or_says_that_there_is_none(claim: str) -> None:
    assert re.search(r"\(tests/[\w/.]+\.py|not ours to test", claim)


@pytest.mark.parametrize("threat", THREATS, ids=lambda threat: threat[:60])
def test_a_threat_to_people_names_its_test(threat: str) -> None:
    shown = threat.split("|")[4]
    assert re.search(r"tests/[\w/.]+\.py|not ours to test", shown)
