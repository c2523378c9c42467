"""What builders are tried with: a real registry on loopback, apps of a few bytes, one buildah storage for all tests."""

import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from bot.builders.buildah import Buildah
from bot.builders.interface import Builder, Order
from tests.conftest import eventually, needs, write_files

# A whole system in one program, so that a RUN needs no base image from a registry.
BUSYBOX = """
    FROM scratch AS base
    COPY busybox /bin/busybox
    COPY busybox /bin/sh
"""


@dataclass(frozen=True)
class Registry:
    """`host`: HOST:PORT."""

    host: str

    def digest(self, name: str) -> str:
        """What skopeo, which is not one of the builders, says that the registry holds."""
        asked = ["skopeo", "inspect", "--tls-verify=false", "--format={{.Digest}}", f"docker://{name}"]
        return subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()

    def config(self, name: str) -> str:
        asked = ["skopeo", "inspect", "--tls-verify=false", "--config", f"docker://{name}"]
        return subprocess.run(asked, check=True, capture_output=True, text=True).stdout


@contextmanager
def serve(folder: Path, more: str = "") -> Iterator[Registry]:
    """An empty registry on a free port. `more`: a line for its configuration."""
    needs("docker-registry")
    needs("skopeo")
    host = f"127.0.0.1:{free_port()}"
    config = folder / "registry.yml"
    storage = f"storage: {{filesystem: {{rootdirectory: '{folder}/registry'}}}}"
    config.write_text(f"version: 0.1\n{storage}\nhttp: {{addr: '{host}'}}\n{more}\n")
    with (folder / "registry.log").open("wb") as log:
        process = subprocess.Popen(["docker-registry", "serve", config], stdout=log, stderr=log)
    try:
        eventually(lambda: answers(f"http://{host}/v2/"), "the registry answers")
        yield Registry(host)
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with serve(tmp_path_factory.mktemp("registry")) as started:
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


def answers(url: str) -> bool:
    """With anything: 401 is an answer, too."""
    try:
        with urlopen(url):
            return True
    except HTTPError:
        return True
    except OSError:
        return False


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
