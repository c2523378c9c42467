"""Which image a base image's name means now: its digest, as its registry gives it, or as it gave it last."""

import json
import os
import tempfile
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bot.errors import DppctlError
from bot.images.registry.client import Registry
from bot.limits import BASE_IMAGE_SECONDS, REGISTRY_LOOKUPS
from bot.logs import get_logger
from bot.model.image_reference import Reference

_log = get_logger("dppctl.bot")


class BaseImages:
    """Digests by name, kept in a file: a registry that is away makes nothing new. Safe to use from several threads."""

    def __init__(self, registry: Registry, file: Path) -> None:
        """`file`: what the registries said last, in a folder that is made when it is needed."""
        self._registry = registry
        self._file = file
        self._lock = threading.Lock()
        self._asked: dict[str, float] = {}  # when, by name

    def digests(self, names: Iterable[str]) -> dict[str, str]:
        """Return the digest of each image; "" for what no registry ever had, or for what is no image's name."""
        names = list(names)
        with self._lock:
            known = self._read()
            due = [
                name
                for name in names
                if time.monotonic() - self._asked.get(name, -BASE_IMAGE_SECONDS) >= BASE_IMAGE_SECONDS
            ]
            with ThreadPoolExecutor(REGISTRY_LOOKUPS) as threads:
                found = dict(zip(due, threads.map(self._look, due), strict=True))
            self._asked |= dict.fromkeys(due, time.monotonic())
            new = {name: digest for name, digest in found.items() if digest and digest != known.get(name)}
            if new:
                self._write(known | new)
            return {name: new.get(name) or known.get(name, "") for name in names}

    def _look(self, name: str) -> str | None:
        try:
            reference = Reference.parse(name)
            return reference.digest or self._registry.digest(reference)
        except DppctlError as error:
            _log.info("base image", image=name, answer=error)
            return None

    def _read(self) -> dict[str, str]:
        try:
            held = json.loads(self._file.read_text())
            return {str(name): str(digest) for name, digest in held.items()}
        except (OSError, ValueError, AttributeError):
            return {}

    def _write(self, digests: dict[str, str]) -> None:
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=self._file.parent, delete=False) as part:
                json.dump(digests, part, indent=1, sort_keys=True)
            os.replace(part.name, self._file)
        except OSError as error:
            _log.warning("base images not kept", file=self._file, error=error)
