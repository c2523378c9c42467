"""What the pages of `dppctl up` know of the data on this machine, in the processes that show them."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from cluster.sync.local.data_server import DataServer
from cluster.sync.local.environment_data import (
    TOKEN_VARIABLE,
    environment_tables,
    named_environment,
)
from cluster.sync.local.storage_server import Storages, storage_path
from webhooks.data_pages import DataServerAddress

_PORT, _STORAGE = "DPPCTL_DATA_PORT", "DPPCTL_STORAGE_AT"


class MachineData:
    """The databases and storages of the environments below a folder."""

    def __init__(self, environments: Path, server: DataServerAddress, storage_url: str) -> None:
        """`storage_url`: below which people reach all storages."""
        self._environments, self._storage_url = environments, storage_url
        self.server = server

    def tables(self, app: str, environment: str) -> tuple[str, ...]:
        """Return the names of the tables and views in an environment's database."""
        return environment_tables(self._environments, app, environment)

    def published_url(self, app: str, environment: str) -> str | None:
        """Return where what an environment publishes is shown; None: it publishes nothing."""
        found = named_environment(self._environments, app, environment)
        with suppress(OSError):  # there is none
            if found and any(found.storage.iterdir()):
                return f"{self._storage_url}{storage_path(app, environment)}"
        return None


def told_of(server: DataServer, storages: Storages) -> Mapping[str, str]:
    """Return the variables by which `dppctl up` tells the processes of the pages what it serves beside them."""
    return {_PORT: str(server.port), TOKEN_VARIABLE: server.token, _STORAGE: storages.base_url}


def local_data(environments: Path, told: Mapping[str, str]) -> MachineData | None:
    """Return the data of this machine, by the variables that `dppctl up` gave; None: it did not start this process."""
    port, token = told.get(_PORT, ""), told.get(TOKEN_VARIABLE, "")
    if not port.isdigit() or not token:
        return None
    return MachineData(environments, DataServerAddress(int(port), token), told.get(_STORAGE, ""))
