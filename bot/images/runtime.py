"""The runtime image: what an app without a Dockerfile runs in. It is built when the registry does not have it."""

import shutil
import tempfile
import threading
from collections.abc import Callable
from hashlib import sha256
from importlib.resources import as_file, files
from pathlib import Path

from bot.images.base_images import BaseImages
from bot.images.builders.interface import Builder, Order
from bot.images.decide import RUNTIME
from bot.images.registry.client import Registry
from bot.images.registry.errors import BrokenImageError
from bot.model.image_reference import Reference
from bot.settings import Settings


class RuntimeImage:
    """Looks the runtime image up, or builds it. Safe to use from several threads."""

    def __init__(self, settings: Settings, registry: Registry, bases: BaseImages, builder: Builder) -> None:
        self._settings = settings
        self._registry = registry
        self._bases = bases
        self._builder = builder
        self._lock = threading.Lock()

    def reference(self) -> Reference:
        """Return its name by a tag, which changes with its base image and with what dppctl installs there."""
        with tempfile.TemporaryDirectory() as folder:
            return self._named(_context(Path(folder)))

    def ensure(self, log: Callable[[str], None], stop: threading.Event) -> str:
        """Return its name, `HOST/NAME@sha256:…`, built when it is missing. Raises as builder and registry do."""
        with self._lock, tempfile.TemporaryDirectory() as folder:
            dockerfile = _context(Path(folder))
            reference = self._named(dockerfile)
            try:
                digest = self._registry.check(reference)
            except BrokenImageError as error:
                log(str(error))
                digest = None
            if digest is None:
                log(f"building dppctl's runtime image {reference}, once")
                arguments = {"BASE": self._base()}
                order = Order(dockerfile.parent, dockerfile, str(reference), arguments=arguments)
                digest = self._builder.build(order, log, stop)
            return str(reference.with_digest(digest))

    def _named(self, dockerfile: Path) -> Reference:
        made_of = sha256(self._base().encode())
        for file in sorted(dockerfile.parent.iterdir()):
            made_of.update(b"\0" + file.read_bytes())
        return Reference.parse(f"{self._settings.images.registry}/{RUNTIME}:{made_of.hexdigest()[:20]}")

    def _base(self) -> str:
        """Return the base image's name, by its digest where that is known."""
        name = self._settings.images.base_image
        digest = self._bases.digests([name])[name]
        return str(Reference.parse(name).with_digest(digest)) if digest else name


def _context(folder: Path) -> Path:
    with as_file(files("cluster") / "local" / "dpp") as lock:
        return runtime_context(folder / "context", lock)


def runtime_context(folder: Path, lock: Path) -> Path:
    """Write the build's context into this folder, which is made; return its Dockerfile.

    lock: the folder of dpp's lock and overrides, as they are installed with dppctl (`cluster/local/dpp`). The same
    release of dppctl always writes the same files. The build argument BASE names another image with Python and pip.
    """
    folder.mkdir(parents=True)
    with as_file(files("images") / "runtime" / "Dockerfile") as dockerfile:
        shutil.copyfile(dockerfile, folder / "Dockerfile")
    # With uv, which also installs an app's requirements on top.
    for name in ("requirements.txt", "overrides.txt", "uv.txt"):
        shutil.copyfile(lock / name, folder / name)
    folder.chmod(0o755)  # what is in the image does not go by this machine's umask
    for file in folder.iterdir():
        file.chmod(0o644)
    return folder / "Dockerfile"
