"""The storage server in each of the ways that it is started in, over one publication on loopback."""

import http.client
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import Message
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from cluster.local.sessions import record, supervisor
from cluster.local.storage.publish import storage_folder
from cluster.storage.folder_storage import FolderStorage
from cluster.storage.in_thread import serve_in_thread
from cluster.storage.layout import Prefix, switch
from cluster.storage.server import StorageApp
from cluster.sync.local.environment import LocalEnvironment, environment_folder
from cluster.sync.local.storage_server import Storages
from tests.support.builders import free_port
from tests.support.environment import REPOSITORY
from tests.support.publisher.buckets import RCLONE, running
from tests.support.world import PRODUCTION, STAGING

PREFIX = Prefix.parse("ann+app/staging")


@dataclass(frozen=True)
class Answer:
    """What a server said."""

    status: int
    headers: Message
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass(frozen=True)
class ServedStorage:
    """A publication that is shown at `url`; `publish` makes another version of it current, where there are versions."""

    url: str
    publish: Callable[[Path], None]

    def ask(self, path: str = "", method: str = "GET", **headers: str) -> Answer:
        """Ask for a path below the publication, or one of the host (`/…`), exactly as it is written."""
        parts = urlsplit(self.url)
        target = path if path.startswith("/") else parts.path + path
        with closing(http.client.HTTPConnection(parts.netloc, timeout=60)) as connection:
            connection.request(method, target, headers={name.replace("_", "-"): text for name, text in headers.items()})
            answer = connection.getresponse()
            return Answer(answer.status, answer.msg, answer.read())


@contextmanager
def of_a_run(folder: Path, files: Path) -> Iterator[ServedStorage]:
    """By the supervisor of a `dppctl run`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DPPCTL_DATA_DIR", str(folder / "data"))
        worker = record.create("worker", pipeline="all", workload=str(folder))
        run = supervisor.start(worker, "sqlite:///none", None, 600)

        def publish(files: Path) -> None:
            shutil.rmtree(storage_folder(worker.name), ignore_errors=True)
            shutil.copytree(files, storage_folder(worker.name), symlinks=True)

        publish(files)
        yield ServedStorage(run.storage_url, publish)
        run.discard()


@contextmanager
def of_environments(folder: Path, files: Path) -> Iterator[ServedStorage]:
    """By `dppctl up`, for an environment."""
    environment = LocalEnvironment(environment_folder(folder, STAGING))

    def publish(files: Path) -> None:
        release = environment.begin(threading.Event())
        release.work_database.touch()
        shutil.copytree(files, release.storage, symlinks=True)
        environment.switch(release)

    publish(files)
    with closing(Storages(0, folder, [STAGING, PRODUCTION])) as storages:
        yield ServedStorage(storages.url(STAGING), publish)


@contextmanager
def of_a_folder(folder: Path, files: Path) -> Iterator[ServedStorage]:
    """By `dppctl storage-server`, of a folder that is laid out as a cluster's storage."""
    root = folder / "storage"
    publish_release(root, files)
    with storage_server(folder, DPPCTL_STORAGE_FOLDER=str(root)) as url:
        yield ServedStorage(f"{url}/{PREFIX.text}", lambda files: publish_release(root, files))


@contextmanager
def of_a_laid_out_folder(folder: Path, files: Path) -> Iterator[ServedStorage]:
    """The same in a thread of this process."""
    root = folder / "storage"
    publish_release(root, files)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        stop = serve_in_thread(listening, StorageApp({"": FolderStorage(root, has_pointers=True)}).respond)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/{PREFIX.text}"
        yield ServedStorage(url, lambda files: publish_release(root, files))
        stop()


@contextmanager
def of_a_bucket(folder: Path, files: Path) -> Iterator[ServedStorage]:
    """By `dppctl storage-server`, of a public bucket of S3, which is rclone's over such a folder."""
    root, port = folder / "objects" / "bucket", free_port()
    publish_release(root, files)
    serve = [RCLONE, "serve", "s3", f"--addr=127.0.0.1:{port}", "--dir-cache-time=0", root.parent]
    with (
        running(serve, port, folder / "s3.log", {}),
        storage_server(folder, DPPCTL_STORAGE_BUCKET_URL=f"http://127.0.0.1:{port}/bucket") as url,
    ):
        yield ServedStorage(f"{url}/{PREFIX.text}", lambda files: publish_release(root, files))


@contextmanager
def storage_server(folder: Path, **settings: str) -> Iterator[str]:
    """Run `dppctl storage-server`; give its URL."""
    clean = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": "1", "HOME": str(folder)}
    process = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "storage-server"],
        cwd=folder,
        env={**clean, "DPPCTL_STORAGE_PORT": "0", **settings},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        found = re.search(r"is up: (\S+)/$", process.stdout.readline())
        assert found
        yield found[1]
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(60)
    assert code == 0


def publish_release(root: Path, files: Path) -> None:
    """Make a release of what is in `files`, and have the pointer name it: as the publisher does."""
    release = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{time.monotonic_ns() % 10**9}"
    shutil.copytree(files, root / PREFIX.release(release), symlinks=True)
    pointer = root / PREFIX.pointer
    part = pointer.with_suffix(".part")
    part.write_bytes(switch(None, release, [""], datetime.now(UTC)).write())
    part.replace(pointer)
