"""What builders are tried with: a real registry on loopback, apps of a few bytes, one buildah storage for all tests."""

import shutil
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from bot.images.builders.buildah.builder import Buildah
from bot.images.builders.interface import Builder, Order
from tests.conftest import needs, write_files
from tests.registry import LocalRegistry, running_registry

# A whole system in one program, so that a RUN needs no base image from a registry.
BUSYBOX = """
    FROM scratch AS base
    COPY busybox /bin/busybox
    COPY busybox /bin/sh
"""


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRegistry]:
    needs("skopeo")
    with running_registry(tmp_path_factory.mktemp("registry") / "registry") as started:
        yield started


@pytest.fixture(scope="session")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    needs("buildah")
    needs("runc")
    return tmp_path_factory.mktemp("buildah")


@pytest.fixture(scope="session")
def buildah(state: Path) -> Buildah:
    return Buildah(state)


App = Callable[..., Order]


@pytest.fixture
def app(tmp_path: Path) -> App:
    """`app(dockerfile, files, destination=…)`: an order for an app with these files and busybox."""
    needs("busybox")

    def make(dockerfile: str, files: Mapping[str, str] | None = None, **more: object) -> Order:
        context = tmp_path / "app"
        write_files(context, {"Dockerfile": dockerfile, **(files or {})})
        shutil.copy(shutil.which("busybox") or "", context / "busybox")
        given = {"destination": f"127.0.0.1:{free_port()}/app:1", **more}
        return Order(context=context, dockerfile=context / "Dockerfile", **given)  # type: ignore[arg-type]

    return make


def built(builder: Builder, order: Order) -> tuple[str, list[str]]:
    """The digest and the lines of the log."""
    lines: list[str] = []
    return builder.build(order, lines.append, threading.Event()), lines


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
