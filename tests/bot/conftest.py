"""A forge, and a bot that looks at it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.git.command import Git
from bot.images.builders.buildah.builder import Buildah
from bot.images.builders.choose import BUILDERS
from bot.settings import Settings
from tests.support.environment import processes_with
from tests.support.forge import Forge
from tests.support.needs import needs
from tests.support.registry import LocalRegistry, running_registry
from tests.support.stories.bot import Story
from tests.support.stories.images import ImageStory
from tests.support.world import World


@pytest.fixture
def world(tmp_path: Path, forge: Forge) -> Iterator[World]:
    with World(tmp_path, forge, GITHUB_TOKEN="t0ken") as world:
        yield world


@pytest.fixture
def settings(world: World) -> Settings:
    return world.settings


@pytest.fixture
def bot_git(world: World) -> Git:
    return world.git


@pytest.fixture
@needs("docker-registry")
def registry(tmp_path: Path) -> Iterator[LocalRegistry]:
    """One that anybody may use."""
    with running_registry(tmp_path / "registry") as running:
        yield running


@pytest.fixture(scope="session")
@needs("buildah", "runc")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("buildah")


@pytest.fixture(scope="session")
def buildah(state: Path) -> Buildah:
    """A builder that has found out once what works here, with its layers, for all tests of a process."""
    return Buildah(state)


@pytest.fixture
@needs("skopeo", "busybox")
def images(
    world: World, registry: LocalRegistry, state: Path, buildah: Buildah, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ImageStory]:
    """An app's story, with builds."""
    monkeypatch.setitem(BUILDERS, "buildah", lambda _: buildah)
    world.restart(REGISTRY=f"{registry.host}/apps", BUILDER="buildah", BUILD_SECRETS_DIR=str(world.folder / "secrets"))
    story = ImageStory(world)
    yield story
    story.loop.close()
    assert not processes_with(str(world.settings.state_dir))
    assert not processes_with(str(state))


@pytest.fixture
def story(world: World) -> Iterator[Story]:
    story = Story(world)
    yield story
    story.loop.close()
