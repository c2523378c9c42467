"""What the environments publish, on one port of this machine: http://HOST:PORT/APP/ENVIRONMENT/.

A port of its own, so that a published site's scripts are strangers to the dashboard.
"""

import socket
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote, urlsplit

from bot.model.names import RepoPath
from bot.model.registration import Target
from bot.page_hosts import local_http_url
from cluster.errors import ClusterError
from cluster.storage.backend import StorageBackend
from cluster.storage.folder_storage import FolderStorage
from cluster.storage.in_thread import serve_in_thread
from cluster.storage.server import StorageApp, hosts_of
from cluster.sync.local.environment import LocalEnvironment, environment_folder
from cluster.sync.local.removal import previews_here


class Storages:
    """Served until `close`; each by way of its environment's link to what is current."""

    def __init__(
        self, port: int, environments: Path, targets: Iterable[Target], *, host: str = "127.0.0.1", url: str = ""
    ) -> None:
        """Listen on `port` of `host`; 0: any free one. `url`: where people reach that, if it is elsewhere.

        Raises ClusterError when the port is taken.
        """
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            self._listening = socket.create_server((host, port), family=family)
        except OSError as error:
            reason = f"{host} port {port} for the storages: {error.strerror or error}"
            raise ClusterError(f"{reason}; set DPPCTL_STORAGE_HOST and DPPCTL_STORAGE_PORT") from None
        self.port: int = self._listening.getsockname()[1]
        self.base_url: str = url or local_http_url(host, self.port)
        app = StorageApp(_Mounts(environments, targets), hosts=hosts_of(host, url), base=urlsplit(url).path)
        self._stop = serve_in_thread(self._listening, app.respond)

    def url(self, target: Target) -> str:
        """Return the URL of an environment's storage, with a slash at the end."""
        return f"{self.base_url}{storage_path(str(target.app), target.environment)}"

    def close(self) -> None:
        """Stop serving."""
        self._stop()
        self._listening.close()


def storage_path(app: str, environment: str) -> str:
    """Return the path of an environment's storage below the URL of all, with slashes around it. Raises DppctlError."""
    return quote(f"/{RepoPath.parse(app).slug}/{environment}/", safe="/+")


class _Mounts(Mapping[str, StorageBackend]):
    """The storages of environments by their paths; previews come and go."""

    def __init__(self, environments: Path, targets: Iterable[Target]) -> None:
        self._environments = environments
        self._targets = sorted(targets)

    def __getitem__(self, path: str) -> StorageBackend:
        return self._all()[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def _all(self) -> dict[str, StorageBackend]:
        patterns = [target for target in self._targets if target.is_pattern]
        there = [target for target in self._targets if not target.is_pattern]
        return {
            _path(target): FolderStorage(LocalEnvironment(environment_folder(self._environments, target)).storage)
            for target in [*there, *previews_here(self._environments, patterns)]
        }


def _path(target: Target) -> str:
    return f"/{target.app.slug}/{target.environment}"
