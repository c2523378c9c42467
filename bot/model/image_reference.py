"""Names of images: `HOST[:PORT]/NAME[:TAG][@sha256:…]`, checked by pattern before they reach a URL or a command.

The grammar is https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests, the host's part
and the short names of Docker Hub are https://github.com/distribution/reference (reference.go and normalize.go).
"""

import ipaddress
import re
from dataclasses import dataclass

from bot.errors import DppctlError

_DOCKER_HUB = "docker.io"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[(?P<ipv6>[0-9A-Fa-f:]+)\])(?::(?P<port>[0-9]{{1,5}}))?")
_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_PART}(?:/{_PART})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_MAX_NAME = 255


@dataclass(frozen=True)
class Reference:
    """An image's name. With a digest it is that very image, whatever the tag says."""

    host: str  # HOST[:PORT] as people write it: docker.io, not the host that answers for it
    repository: str  # what the specification calls <name>: library/python
    tag: str | None  # None only beside a digest: no tag means `latest`
    digest: str | None = None  # sha256:…

    @classmethod
    def parse(cls, text: str) -> "Reference":
        """Parse a name. Short ones are Docker Hub's, as everywhere: `python:3.12` is `docker.io/library/python:3.12`.

        Raises DppctlError when it is not the name of an image.
        """
        rest, at, digest = text.partition("@")
        first, slash, others = rest.partition("/")
        if slash and ("." in first or ":" in first or first == "localhost" or first != first.lower()):
            host, rest = first, others
        else:
            host = _DOCKER_HUB
        repository, colon, tag = rest.partition(":")
        if host == f"index.{_DOCKER_HUB}":
            host = _DOCKER_HUB
        if host == _DOCKER_HUB and "/" not in repository:
            repository = f"library/{repository}"
        if (
            not is_host(host)
            or not _REPOSITORY.fullmatch(repository)
            or len(host) + len(repository) >= _MAX_NAME
            or (colon and not _TAG.fullmatch(tag))
            or (at and not is_digest(digest))
        ):
            raise DppctlError(
                f"{text[:300]!r} is not an image: expected HOST[:PORT]/NAME[:TAG][@sha256:…], NAME in lower case"
            )
        return cls(host, repository, tag or (None if at else "latest"), digest or None)

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return self.name + tag + (f"@{self.digest}" if self.digest else "")

    @property
    def name(self) -> str:
        """Return the name without tag and digest."""
        return f"{self.host}/{self.repository}"

    @property
    def api_host(self) -> str:
        """Return the HOST[:PORT] that answers for the registry."""
        return f"registry-1.{_DOCKER_HUB}" if self.host == _DOCKER_HUB else self.host

    @property
    def pinned(self) -> str:
        """Return the digest, or else the tag: what the API is asked for."""
        return self.digest or self.tag or "latest"

    def with_digest(self, digest: str) -> "Reference":
        """Return the name with this digest and no tag: podman and skopeo refuse a name that has both.

        Raises DppctlError when it is no `sha256:…`.
        """
        if not is_digest(digest):
            raise DppctlError(f"{digest[:100]!r} is not a digest: expected sha256: and 64 hexadecimal digits")
        return Reference(self.host, self.repository, None, digest)


@dataclass(frozen=True)
class Hosts:
    """Registries by HOST[:PORT]; one without a port stands for all its ports."""

    names: frozenset[str]

    def __contains__(self, host: object) -> bool:
        """Tell whether this HOST[:PORT] is among them."""
        text = str(host).lower()
        return text in self.names or re.sub(r":[0-9]*$", "", text) in self.names


def is_digest(text: str) -> bool:
    """Return whether this is a `sha256:…`."""
    return bool(_DIGEST.fullmatch(text))


def is_host(text: str) -> bool:
    """Return whether this is a HOST[:PORT]."""
    found = _HOST.fullmatch(text)
    if not found or int(found["port"] or 0) > 65535:
        return False
    try:
        return not found["ipv6"] or bool(ipaddress.IPv6Address(found["ipv6"]))
    except ValueError:
        return False
