"""The storage server by itself, wired together from its settings: for a cluster, or any folder or bucket."""

import socket
import struct
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

from bot.errors import DppctlError
from bot.settings import Settings
from cli.limits import STORAGE_SEND_SECONDS
from cli.servers.daemon import Daemon
from cli.servers.gunicorn import WebServer
from cli.servers.lifecycle import listen, read_settings
from cluster.storage.backend import StorageBackend
from cluster.storage.bucket_storage import BucketStorage
from cluster.storage.folder_storage import FolderStorage
from cluster.storage.server import StorageApp, hosts_of

APPLICATION = "cli.servers.storage_wsgi:application()"


class StorageServer(Daemon):
    """`dppctl storage-server`: what is published, over HTTP."""

    def __init__(self, config: Path, stopping: threading.Event) -> None:
        """Start its process, whose end is noticed from `run` on. Raises DppctlError."""
        settings = read_settings(config)
        open_storage(settings)  # what is wrong is said here, in one line
        host = settings.storage.host
        with listen("DPPCTL_STORAGE_HOST, DPPCTL_STORAGE_PORT", f"{host}:{settings.storage_port}") as listening:
            # Connections have it from the socket that listens (socket(7)): who takes nothing holds no thread for ever.
            seconds = struct.pack("ll", STORAGE_SEND_SECONDS, 0)
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, seconds)
            # One process: its threads wait for the disk and for clients, and share what is remembered of pointers.
            environment = {"DPPCTL_CONFIG": str(config.absolute())}
            self._server = WebServer(listening, APPLICATION, environment, host=host, workers=1)
        self._url = settings.storage.url or self._server.address
        super().__init__(stopping, ExitStack())

    def parts(self) -> dict[str, Callable[[], None]]:
        """Return its process."""
        return {"storage": self._server.run}

    def hello(self) -> str:
        """Name where it is."""
        self._server.wait_until_up(self.stopping)
        return f"dppctl storage is up: {self._url}/"

    def stop(self) -> None:
        """End it; what it is sending may take a second."""
        self._server.stop()


def open_storage(settings: Settings) -> StorageBackend:
    """Return the storage that the settings name. Raises DppctlError."""
    folder, bucket = settings.storage.folder, settings.storage.bucket_url
    if folder and bucket:
        raise DppctlError("DPPCTL_STORAGE_FOLDER, DPPCTL_STORAGE_BUCKET_URL: both are set; leave one out")
    if bucket:
        return BucketStorage(bucket)
    if folder is None:
        raise DppctlError("DPPCTL_STORAGE_FOLDER: is not set, nor DPPCTL_STORAGE_BUCKET_URL; name what is to be shown")
    if not folder.is_dir():
        raise DppctlError(f"DPPCTL_STORAGE_FOLDER: {folder} is no folder")
    return FolderStorage(folder.absolute(), has_pointers=True)


def make_storage_app(settings: Settings) -> StorageApp:
    """Return what shows it. Raises DppctlError."""
    given = settings.storage
    return StorageApp(
        {"": open_storage(settings)}, hosts=hosts_of(given.host, given.url), base=urlsplit(given.url).path
    )
