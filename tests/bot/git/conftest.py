"""A repository on the forge, and a kept copy of it."""

from pathlib import Path

import pytest

from bot.git.command import Git
from bot.git.mirror import Mirror
from bot.settings import Settings
from tests.support.forge import Forge, Repository


@pytest.fixture
def repository(forge: Forge) -> Repository:
    return forge.repository("ann/app")


@pytest.fixture
def mirror(bot_git: Git, settings: Settings, repository: Repository, tmp_path: Path) -> Mirror:
    return Mirror(bot_git, settings.github.repository_url(repository.name), tmp_path / "mirror")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "target"
