"""GitHub on loopback."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot import limits
from tests.support.github.fake import FakeGitHub
from tests.support.stories.github import GitHubStory, github_story


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "GITHUB_WRITE_SECONDS", 0.0)
    monkeypatch.setattr(limits, "GITHUB_POLL_SECONDS", 0.02)


@pytest.fixture
def story(github: FakeGitHub, tmp_path: Path) -> Iterator[GitHubStory]:
    with github_story(github, tmp_path) as story:
        yield story
