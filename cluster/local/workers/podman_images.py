"""Images on this machine: pulled once, and what they say about themselves."""

import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from bot.errors import TransientError
from cluster.errors import ClusterError
from cluster.local.workers.podman import is_rootless, podman

_REFERENCE = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._:/@\[\]-]*", re.ASCII)
_BY_DIGEST = re.compile(r"[^@/]+/[^@]+@sha256:[0-9a-f]{64}")
# What a registry says that was reached: https://distribution.github.io/distribution/spec/api/#errors-2
_REFUSED = re.compile(
    r"manifest unknown|name unknown|unauthorized|authentication required|denied|invalid reference", re.IGNORECASE
)


class ImageAwayError(ClusterError, TransientError):
    """The image cannot be pulled now, and the registry did not say why: the same may work later."""


@dataclass(frozen=True)
class Image:
    """An image that is here."""

    reference: str
    workdir: str
    rootless: bool  # whether podman runs it as this user


def ensure_image(
    reference: str,
    *,
    auth_file: Path | None = None,
    stop: threading.Event | None = None,
    say: Callable[[str], None] = lambda _line: None,
) -> Image:
    """Return the image of this name, pulled if it is not here.

    auth_file: for registries that ask for a password (https://man.archlinux.org/man/containers-auth.json.5); without
    it podman's own is used. say gets a line when it takes time; stop ends a pull. Raises ImageAwayError when it may
    be pulled later, StoppedError, and ClusterError when it cannot be run on this machine at all.
    """
    if not _REFERENCE.fullmatch(reference):
        raise ClusterError(f"'{reference}' is no image; write HOST/NAME@sha256:… or NAME:TAG")
    rootless = is_rootless()
    try:
        found = podman("image", "inspect", reference)
    except ClusterError:
        say(f"Pulling the image {reference}")
        _pull(reference, auth_file, stop)
        found = podman("image", "inspect", reference)
    workdir = json.loads(found)[0]["Config"].get("WorkingDir") or "/"
    if workdir == "/":
        hint = "say in its Dockerfile where the pipelines are: WORKDIR /app"
        raise ClusterError(f"the image {reference} has no folder of its own to work in; {hint}")
    return Image(reference, workdir, rootless)


def is_by_digest(reference: str) -> bool:
    """Tell whether it always names the same image, on any machine."""
    return bool(_BY_DIGEST.fullmatch(reference))


def _pull(reference: str, auth_file: Path | None, stop: threading.Event | None) -> None:
    options = ["--quiet", *(["--authfile", str(auth_file)] if auth_file else [])]
    if _is_loopback(reference.partition("/")[0]):
        options.append("--tls-verify=false")  # plain HTTP; elsewhere podman's own settings decide
    try:
        podman("pull", *options, reference, stop=stop)
    except ClusterError as error:
        kind = ClusterError if _REFUSED.search(str(error)) else ImageAwayError
        raise kind(f"the image {reference} cannot be pulled: {error}") from error


def _is_loopback(host: str) -> bool:
    name = re.sub(r":\d+$", "", host).strip("[]")
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"
