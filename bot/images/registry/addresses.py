"""Which hosts dppctl asks: never this machine or its link, whatever a name, a redirect or a registry's DNS says.

What is at such an address trusts who reaches it: another program's port, or a cloud's metadata with its credentials.
"""

import ipaddress
import socket
from collections.abc import Container
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from bot.images.registry.errors import RegistryDeniedError


class GuardedAdapter(HTTPAdapter):
    """Sends requests, also those after a redirect, to hosts that are listed or elsewhere on the net.

    A connection is checked once it is there, so that it does not matter what the name is at another time. Through a
    proxy, which looks names up itself, only addresses are seen.
    """

    def __init__(self, listed: Container[str]) -> None:
        """Let HOST[:PORT] that are `listed`, as URLs have them, be on this machine."""
        self._listed = listed
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Make connections that look where they lead."""
        super().init_poolmanager(*arguments, **options)
        listed = self._listed

        class Http(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                return _checked(super()._new_conn(), self.host, self.port, 80, listed)

        class Https(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                return _checked(super()._new_conn(), self.host, self.port, 443, listed)

        class HttpPool(HTTPConnectionPool):
            ConnectionCls = Http

        class HttpsPool(HTTPSConnectionPool):
            ConnectionCls = Https

        self.poolmanager.pool_classes_by_scheme = {"http": HttpPool, "https": HttpsPool}

    def send(self, request: requests.PreparedRequest, *arguments: Any, **options: Any) -> requests.Response:
        """Send it. Raises RegistryDeniedError for an address that is not to be asked."""
        parts = urlsplit(request.url or "")
        if is_inner(parts.hostname or "") and parts.netloc.rpartition("@")[2] not in self._listed:
            raise _refused(parts.netloc.rpartition("@")[2])
        return super().send(request, *arguments, **options)


def is_inner(address: str) -> bool:
    """Tell whether this is the address of this machine, of its link, or of nobody; False for a name."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address.lower() == "localhost"
    found = getattr(found, "ipv4_mapped", None) or found
    return found.is_loopback or found.is_link_local or found.is_unspecified or found.is_multicast


def _checked(
    connection: socket.socket, host: str, port: int | None, usual: int, listed: Container[str]
) -> socket.socket:
    shown = f"[{host}]" if ":" in host else host
    if is_inner(str(connection.getpeername()[0]).partition("%")[0]):
        name = shown if port in (None, usual) else f"{shown}:{port}"
        if name not in listed and f"{shown}:{port or usual}" not in listed:
            connection.close()
            raise _refused(name)
    return connection


def _refused(host: str) -> RegistryDeniedError:
    return RegistryDeniedError(
        f"{host} is at an address of this machine or its link, which dppctl does not ask: it is no registry, or "
        "DPPCTL_IMAGE_REGISTRIES has to name it"
    )
