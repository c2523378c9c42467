"""A publisher for an engine, on loopback: a folder, S3, or Google's storage; and what its readers see."""

import io
import json
import socket
import tarfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cluster.storage.folder_storage import FolderStorage
from cluster.storage.in_thread import serve_in_thread
from cluster.storage.layout import Pointer
from cluster.storage.server import StorageApp
from tests.support.builders import free_port
from tests.support.publisher.buckets import Bucket, gcs_bucket, make_password, rclone_daemon, s3_bucket
from tests.support.publisher.process import PublisherProcess, WorkerFiles
from tests.support.serving import serving

ENGINES = ("folder", "s3", "gcs")


@dataclass
class PublisherWorld:
    """A publisher, the worker that it takes from, and where people read."""

    folder: Path
    engine: str
    url: str
    settings: dict[str, str]
    worker: WorkerFiles
    address: str
    bucket: Bucket | None
    rclone_port: int
    publisher: PublisherProcess | None = None

    def start(self, **options: Any) -> PublisherProcess:
        """Start a publisher in the place of the one before."""
        if self.publisher:
            self.publisher.kill()
        self.publisher = PublisherProcess(self.folder, self.settings, **options)
        return self.publisher

    def publish(self, files: Mapping[str, bytes], **asked: object) -> dict[str, Any]:
        """Have the publisher take these files from the worker; how it ended."""
        self.worker.tar = tar_of(files)
        assert self.publisher
        return self.publisher.publish(**{"worker": self.address, **asked})

    def read(self, path: str) -> bytes | None:
        """Return what people read at a path of the storage; None: nothing."""
        try:
            with urllib.request.urlopen(f"{self.url}/{quote(path, safe='/+')}", timeout=10) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise

    def current(self, prefix: str, path: str) -> bytes | None:
        """Return what a deployment's path holds, by its pointer."""
        found = self.read(f"{prefix}current.json")
        release = Pointer.read(found).resolve(path) if found else None
        return self.read(f"{prefix}releases/{release}/{path}") if release else None


@contextmanager
def publisher_world(engine: str, folder: Path) -> Iterator[PublisherWorld]:
    """Run what an engine needs; the publisher itself is started by `start`."""
    folder.mkdir(exist_ok=True)
    worker = WorkerFiles()
    with ExitStack() as opened:
        address = opened.enter_context(serving(worker.answer))
        bucket, port = None, free_port()
        if engine == "folder":
            root = folder / "storage"
            root.mkdir()
            listening = opened.enter_context(socket.create_server(("127.0.0.1", 0)))
            application = StorageApp({"": FolderStorage(root, has_pointers=True)})
            opened.callback(serve_in_thread(listening, application.respond))
            url = f"http://127.0.0.1:{listening.getsockname()[1]}"
            settings = {"DPPCTL_PUBLISHER_REMOTE": str(root)}
        else:
            bucket = opened.enter_context((s3_bucket if engine == "s3" else gcs_bucket)(folder))
            url = bucket.url
            password = make_password(folder)
            opened.enter_context(rclone_daemon(port, folder, bucket.configuration))
            settings = {
                "DPPCTL_PUBLISHER_REMOTE": bucket.remote,
                "DPPCTL_RCLONE_URL": f"http://127.0.0.1:{port}",
                "DPPCTL_RCLONE_PASSWORD_FILE": str(password),
            }
        settings["DPPCTL_STORAGE_URL"] = url
        world = PublisherWorld(folder, engine, url, settings, worker, address, bucket, port)
        try:
            yield world
        finally:
            if world.publisher:
                world.publisher.kill()


def tar_of(files: Mapping[str, bytes]) -> bytes:
    """Return a tar as a worker sends it."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in files.items():
            header = tarfile.TarInfo(name)
            header.size = len(content)
            tar.addfile(header, io.BytesIO(content))
    return out.getvalue()


def package_files(name: str, *rows: str) -> dict[str, bytes]:
    """Return a data package's files by their paths."""
    resource = {
        "name": "rows",
        "path": "rows.csv",
        "profile": "tabular-data-resource",
        "schema": {"fields": [{"name": "name", "type": "string"}]},
    }
    descriptor = {"name": name, "profile": "tabular-data-package", "resources": [resource]}
    text = "".join(f"{row}\n" for row in ("name", *rows))
    return {f"{name}/datapackage.json": json.dumps(descriptor).encode(), f"{name}/rows.csv": text.encode()}
