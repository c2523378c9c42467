"""Which host names pages answer to, and where this machine reaches what listens.

A browser that asks for another name was led here, by what is called DNS rebinding:
https://en.wikipedia.org/wiki/DNS_rebinding
"""

from collections.abc import Sequence
from urllib.parse import urlsplit

LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "::1")
_OF_ALL_ADDRESSES = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104


def is_page_host(asked: str, hosts: Sequence[str]) -> bool:
    """Return whether a request's Host is among our names, in small letters; `.example.org` stands for all below."""
    try:
        name = (urlsplit(f"//{asked}").hostname or "").lower()
    except ValueError:
        return False
    return name in hosts or name.endswith(tuple(host for host in hosts if host.startswith(".")))


def is_secure_place(url: str) -> bool:
    """Return whether browsers keep Secure cookies of an address: https, or this machine's own."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.hostname or "") in LOOPBACK_HOSTS


def http_url(host: str, port: int) -> str:
    """Return http://HOST:PORT, without a slash at the end."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def local_http_url(host: str, port: int) -> str:
    """Return where this machine reaches what listens on a host, which may be all of its addresses."""
    return http_url(_OF_ALL_ADDRESSES.get(host, host), port)
