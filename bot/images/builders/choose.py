"""Which builder builds: the one that DPPCTL_BUILDER names, or the first that works here.

A new builder is one file beside this one and one line in the table.
"""

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from bot.errors import DppctlError
from bot.images.builders.buildah.builder import Buildah
from bot.images.builders.buildkit.builder import BuildKit
from bot.images.builders.buildkit.job import Cluster
from bot.images.builders.docker import Docker
from bot.images.builders.interface import Builder, BuildError, Order, Probe
from bot.limits import BUILD_CACHE_BYTES, BUILD_SECONDS


@dataclass(frozen=True)
class Options:
    """What builders are made with; each takes what it knows.

    `state`: a folder for their own files. `auth_file`: logins, as docker and podman write them. `plain_http`:
    registries (HOST[:PORT]) without TLS, besides those on loopback. `cluster`: where BuildKit's jobs run. `ca`: for
    BuildKit, HOST[:PORT] and the file with the authorities that its certificate is of. `common`: images (HOST/NAME,
    and below) that any app may have with our login. `has_secrets`: some apps have secrets for their builds.
    `frontends`: those that a Dockerfile may name for docker and BuildKit.
    """

    state: Path
    auth_file: Path | None = None
    plain_http: frozenset[str] = frozenset()
    seconds: float = BUILD_SECONDS
    cache_bytes: int = BUILD_CACHE_BYTES
    cluster: Cluster = field(default_factory=Cluster)
    ca: tuple[str, Path] | None = None
    common: frozenset[str] = frozenset()
    has_secrets: bool = False
    frontends: frozenset[str] = frozenset()


class Probed(Builder, Protocol):
    """A builder that can say whether it works here."""

    def probe(self) -> Probe: ...


def _buildah(options: Options) -> Probed:
    return Buildah(
        options.state / "buildah",
        auth_file=options.auth_file,
        plain_http=options.plain_http,
        seconds=options.seconds,
        cache_bytes=options.cache_bytes,
        common=options.common,
    )


def _docker(options: Options) -> Probed:
    return Docker(
        auth_file=options.auth_file,
        seconds=options.seconds,
        cache_bytes=options.cache_bytes,
        anew=options.has_secrets,
        frontends=options.frontends,
    )


def _buildkit(options: Options) -> Probed:
    return BuildKit(
        options.cluster,
        plain_http=options.plain_http,
        ca=options.ca,
        seconds=options.seconds,
        frontends=options.frontends,
    )


BUILDERS: dict[str, Callable[[Options], Probed]] = {"buildah": _buildah, "docker": _docker, "buildkit": _buildkit}
_AUTO = ("buildah", "docker")  # in this order; a cluster is used only when it is named
NAMES = ("auto", *BUILDERS, "none")


class NoBuilder:
    """Refuses every order."""

    def __init__(self, why: str) -> None:
        self.why = why

    def build(self, order: Order, log: Callable[[str], None], stop: threading.Event) -> str:  # noqa: ARG002
        """Raise BuildError."""
        raise BuildError(f"this app has a Dockerfile, and {self.why}")

    def prune(self, apps: Collection[str] | None = None) -> None:
        """Do nothing: nothing is kept."""


def choose(name: str, options: Options, log: Callable[[str], None]) -> Builder:
    """Return the builder of that name (one of NAMES). `log` gets one line that says what was found.

    `auto` without a builder that works is a NoBuilder, for apps without a Dockerfile need none. Raises DppctlError for
    an unknown name, and for a builder that is named and does not work here.
    """
    if name == "none":
        log("builder: none; apps with a Dockerfile are refused")
        return NoBuilder("no images are built here (DPPCTL_BUILDER=none)")
    if name != "auto" and name not in BUILDERS:
        raise DppctlError(f"DPPCTL_BUILDER: {name!r} is none of {', '.join(NAMES)}")
    tried: list[str] = []
    for candidate in _AUTO if name == "auto" else (name,):
        builder = BUILDERS[candidate](options)
        found = builder.probe()
        if found.works:
            log("; ".join([f"builder: {candidate} {found.what}", *(f"not {other}" for other in tried)]))
            return builder
        tried.append(_described(found))
    if name != "auto":
        raise DppctlError(f"DPPCTL_BUILDER={name}: it does not work here: {found.what}. To get it: {found.get}")
    log(f"builder: none works, so apps with a Dockerfile are refused; {'; '.join(tried)}")
    return NoBuilder(f"no builder works here ({'; '.join(tried)}); `dppctl doctor` says what to install")


def probe(options: Options) -> list[Probe]:
    """Tell whether each builder works here, in the order of the table."""
    return [make(options).probe() for make in BUILDERS.values()]


def _described(found: Probe) -> str:
    return f"{found.name}: {found.what.removeprefix(f'{found.name}: ')}"
