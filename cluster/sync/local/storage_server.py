"""What the environments publish, on one port of this machine: http://127.0.0.1:PORT/APP/ENVIRONMENT/.

A port of its own, so that a published site's scripts are strangers to the dashboard.
"""

import socket
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

from bot.model.registration import Target
from cluster.errors import ClusterError
from cluster.local.storage.file_server import serve_in_thread
from cluster.sync.local.environment import LocalEnvironment, environment_folder


class Storages:
    """Served until `close`; each by way of its environment's link to what is current."""

    def __init__(self, port: int, environments: Path, targets: Iterable[Target]) -> None:
        """Listen on `port`; 0: any free one. Raises ClusterError when it is taken."""
        try:
            self._listening = socket.create_server(("127.0.0.1", port))
        except OSError as error:
            raise ClusterError(f"port {port} for the storages: {error.strerror}; set DPPCTL_STORAGE_PORT") from None
        folders = {
            _path(target): LocalEnvironment(environment_folder(environments, target)).storage for target in targets
        }
        self._stop = serve_in_thread(self._listening, folders)

    def url(self, target: Target) -> str:
        """Return the URL of an environment's storage, with a slash at the end."""
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}{_path(target)}/"

    def close(self) -> None:
        """Stop serving."""
        self._stop()
        self._listening.close()


def _path(target: Target) -> str:
    return quote(f"/{target.app.slug}/{target.environment}", safe="/+")
