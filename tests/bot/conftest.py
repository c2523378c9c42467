"""A forge, and a bot that looks at it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.git.command import Git
from bot.settings import Settings, load_settings
from tests.support.forge import Forge
from tests.support.registry import LocalRegistry, running_registry
from tests.support.stories.bot import Story


@pytest.fixture
def settings(tmp_path: Path, forge: Forge) -> Settings:
    (tmp_path / "config").mkdir()
    given = {"DPPCTL_GITHUB_URL": forge.url, "DPPCTL_WEBHOOK_SECRETS": "hush", "DPPCTL_GITHUB_TOKEN": "t0ken"}
    return load_settings(tmp_path / "config", given)


@pytest.fixture
def bot_git(settings: Settings) -> Iterator[Git]:
    git = Git(settings)
    yield git
    git.close()


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[LocalRegistry]:
    """One that anybody may use."""
    with running_registry(tmp_path / "registry") as running:
        yield running


@pytest.fixture
def story(forge: Forge, settings: Settings, bot_git: Git) -> Iterator[Story]:
    story = Story(forge, settings, bot_git)
    yield story
    story.loop.close()
    story.store.close()
