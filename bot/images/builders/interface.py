"""What all builders have in common: their orders and their errors."""

import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from bot.errors import PermanentError, TransientError


class BuildError(PermanentError):
    """The image cannot be built from this source, such as for a failing RUN: only another commit helps."""


class BuildPutOffError(TransientError):
    """The image cannot be built now, such as for a registry that is away or a full disk: the same may work later."""


@dataclass(frozen=True)
class Order:
    """One image to build and push."""

    context: Path  # a folder that holds the app's files and nothing else; not to be changed
    dockerfile: Path  # in the context, or beside it
    destination: str  # HOST[:PORT]/NAME:TAG
    target: str | None = None  # a stage of the Dockerfile
    arguments: Mapping[str, str] = field(default_factory=dict)  # for ARG
    labels: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, Path] = field(default_factory=dict)  # by id, for RUN --mount=type=secret,id=…: a file
    rebuild: bool = False  # each step anew, whatever was built before
    app: str = ""  # whose layers may be taken over, and no other app's; "": an image of dppctl's own
    logins: Collection[str] | None = None  # images (HOST/NAME, and below) that it may take with our login; None: any


class Builder(Protocol):
    """Safe to be used from several threads; one build a call."""

    def build(self, order: Order, log: Callable[[str], None], stop: threading.Event) -> str:
        """Build and push; return the digest (`sha256:…`) of what the registry holds then.

        `log` gets each line of the build's output, as it comes. When `stop` is set the build ends within seconds, with
        all that it started. Raises BuildError, BuildPutOffError or StoppedError; the message is for the user.
        """

    def prune(self, apps: Collection[str] | None = None) -> None:
        """Keep the cache below its limit, and nothing of apps that are gone. `apps`: those that there are, if known."""


@dataclass(frozen=True)
class Probe:
    """Whether a builder works here. `what`: its version and how it works, or why not; `get`: what to install."""

    name: str
    works: bool
    what: str
    get: str
