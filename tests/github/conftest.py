"""GitHub on loopback."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot import limits
from tests.forge import Forge
from tests.github.fake import FakeGitHub, fake_github
from tests.github.story import GitHubStory, github_story


@pytest.fixture
def forge(tmp_path: Path) -> Forge:
    return Forge(tmp_path)


@pytest.fixture
def github(forge: Forge) -> Iterator[FakeGitHub]:
    with fake_github(forge) as github:
        yield github
        assert github.wrong == []


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "GITHUB_WRITE_SECONDS", 0.0)
    monkeypatch.setattr(limits, "GITHUB_POLL_SECONDS", 0.02)


@pytest.fixture
def story(github: FakeGitHub, tmp_path: Path) -> Iterator[GitHubStory]:
    with github_story(github, tmp_path / "config") as story:
        yield story
