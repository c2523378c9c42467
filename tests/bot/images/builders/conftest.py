"""What builders are tried with: a real registry on loopback, apps of a few bytes."""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from bot.images.builders.interface import Order
from tests.support.builders import App, free_port
from tests.support.needs import needs
from tests.support.registry import LocalRegistry, running_registry
from tests.support.workloads import write_files


@pytest.fixture(scope="session")
@needs("skopeo", "docker-registry")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRegistry]:
    with running_registry(tmp_path_factory.mktemp("registry") / "registry") as started:
        yield started


@pytest.fixture
@needs("busybox")
def app(tmp_path: Path) -> App:
    """`app(dockerfile, files, destination=…)`: an order for an app with these files and busybox."""

    def make(dockerfile: str, files: Mapping[str, str] | None = None, **more: object) -> Order:
        context = tmp_path / "app"
        write_files(context, {"Dockerfile": dockerfile, **(files or {})})
        programs = context / "root" / "bin"
        programs.mkdir(parents=True, exist_ok=True)
        for folder in (context, programs):
            shutil.copy(shutil.which("busybox") or "", folder / "busybox")
        if not (programs / "sh").is_symlink():
            (programs / "sh").symlink_to("busybox")
        given = {"destination": f"127.0.0.1:{free_port()}/app:1", "app": "ann/app", **more}
        return Order(context=context, dockerfile=context / "Dockerfile", **given)

    return make
