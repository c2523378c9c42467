"""Decide from a request whether a person at this machine sent it. All of it is pure.

A reverse proxy or a tunnel on this machine must not make everybody a person at this machine: so the peer, the host name
that was asked for and the absence of any forwarding header count, all three.
"""

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

# https://www.rfc-editor.org/rfc/rfc7239 and what proxies and tunnels send in its place.
_FORWARDING = {
    *("HTTP_FORWARDED", "HTTP_VIA", "HTTP_X_REAL_IP", "HTTP_X_CLIENT_IP", "HTTP_X_CLUSTER_CLIENT_IP"),
    *("HTTP_TRUE_CLIENT_IP", "HTTP_CF_CONNECTING_IP", "HTTP_X_ORIGINAL_FORWARDED_FOR", "HTTP_X_ORIGINAL_HOST"),
}
_FORWARDING_PREFIX = "HTTP_X_FORWARDED"


def is_loopback(host: str) -> bool:
    """Return whether a host name or an address is of this machine only."""
    if host.lower() == "localhost":
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)  # ::ffff:127.0.0.1
    return (mapped or address).is_loopback


def host_name(netloc: str) -> str:
    """Return the host name of HOST[:PORT] in lower case; "" when it is none."""
    try:
        return (urlsplit(f"//{netloc}").hostname or "").lower()
    except ValueError:
        return ""


def why_not_local(environ: Mapping[str, Any]) -> str | None:
    """Return why a request is not one of a person at this machine; None: it is."""
    peer = str(environ.get("REMOTE_ADDR", ""))
    if not is_loopback(peer):
        return "the request comes from another machine"
    if not is_loopback(host_name(str(environ.get("HTTP_HOST", "")))):
        return "the page was not opened as http://localhost or http://127.0.0.1"
    if any(name in _FORWARDING or name.startswith(_FORWARDING_PREFIX) for name in environ):
        return "the request was forwarded by a proxy"
    return None
