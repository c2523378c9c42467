"""Which host names pages answer to: a browser that asks for another was led here, by what is called DNS rebinding.

https://en.wikipedia.org/wiki/DNS_rebinding
"""

from collections.abc import Sequence
from urllib.parse import urlsplit

LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "::1")


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
