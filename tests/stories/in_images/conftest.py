"""Real images in a containers storage of the tests' own."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cluster.local.workers.dpp_environment import DppEnvironment
from tests.support.command import Dppctl
from tests.support.images import Images, ensure_images
from tests.support.needs import needs
from tests.support.registry import LocalRegistry, running_registry
from tests.support.stories.machine import Machine


@pytest.fixture(scope="session")
@needs("podman", "buildah", "busybox", "root", "runc")
def made_images(runtime: DppEnvironment) -> Images:
    return ensure_images(runtime)


@pytest.fixture
def images(made_images: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Images]:
    """podman and buildah, also those that dppctl starts, are led to them."""
    for name, value in made_images.environment.items():
        monkeypatch.setenv(name, value)
    images = replace(made_images, folder=tmp_path, made=[])
    yield images
    images.clear()


@pytest.fixture
@needs("docker-registry")
def registry(tmp_path: Path) -> Iterator[LocalRegistry]:
    with running_registry(tmp_path / "registry") as registry:
        yield registry


@pytest.fixture
def machine(tmp_path: Path, runtime: DppEnvironment) -> Iterator[Machine]:
    machine = Machine(tmp_path, runtime)
    yield machine
    machine.close()


@pytest.fixture
def path_without_podman(tmp_path: Path) -> str:
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("git", "sh", "env"):
        (folder / name).symlink_to(shutil.which(name) or name)
    return str(folder)


@pytest.fixture
def dppctl(images: Images, dppctl: Dppctl) -> Dppctl:
    return Dppctl(dppctl.data, {**dppctl.environment, **images.environment})
