"""The image of an app without a Dockerfile: dppctl's runtime image, the app's files, and its requirements.txt.

The runtime image is named by what it is made of, and built when the registry has none of that name.
"""

import tempfile
import threading
from collections.abc import Callable
from hashlib import sha256
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

from bot.builders.interface import Builder, Order
from bot.registry.client import Registry
from bot.registry.reference import Reference
from bot.settings import Settings

# Data, not code: the arrows between packages are about code.
_RUNTIME = files("images") / "runtime"
_LOCK = files("cluster") / "local" / "dpp"


class DefaultImage:
    """Writes Dockerfiles for apps that have none. Safe to use from several threads."""

    def __init__(self, settings: Settings, registry: Registry, builder: Builder) -> None:
        self._settings = settings
        self._registry = registry
        self._builder = builder
        self._turn = threading.Lock()

    def dockerfile(self, context: Path, target: Path, log: Callable[[str], None], stop: threading.Event) -> None:
        """Write a Dockerfile for the app's files in `context` to `target`; first build what it is FROM, if need be.

        Raises as the builder and the registry do.
        """
        with self._turn:
            runtime = self._runtime(log, stop)
        target.write_text(default_dockerfile(runtime, (context / "requirements.txt").is_file()))

    def _runtime(self, log: Callable[[str], None], stop: threading.Event) -> str:
        with tempfile.TemporaryDirectory() as folder:
            context = Path(folder)
            runtime_context(context)
            made_of = sha256(self._settings.base_image.encode())
            for file in sorted(context.iterdir()):
                made_of.update(b"\0" + file.read_bytes())
            name = f"{self._settings.registry}/dppctl-runtime:{made_of.hexdigest()[:20]}"
            reference = Reference.parse(name)
            digest = self._registry.digest(reference)
            if digest is None:
                log(f"building dppctl's runtime image {reference}, once")
                arguments = {"BASE": self._settings.base_image}
                order = Order(context, context / "Dockerfile", str(reference), arguments=arguments)
                digest = self._builder.build(order, log, stop)
            return str(reference.with_digest(digest))


def runtime_context(folder: Path) -> None:
    """Put what the runtime image is made of into an empty folder: its Dockerfile, the lock of dpp, and uv."""
    for file in (_RUNTIME / "Dockerfile", _LOCK / "requirements.txt", _LOCK / "overrides.txt"):
        (folder / file.name).write_text(file.read_text())
    (folder / "tools.txt").write_text(f"uv=={version('uv')}\n")


def default_dockerfile(runtime: str, has_requirements: bool) -> str:
    """The Dockerfile of an app without one. Its requirements are installed as on one machine."""
    install = "uv pip install --no-cache --compile-bytecode --python /opt/dpp/bin/python"
    requirements = f"""\
USER 0:0
COPY requirements.txt /opt/dpp/app-requirements.txt
RUN {install} --override /opt/dpp/overrides.txt -r /opt/dpp/app-requirements.txt
USER 1000:1000
"""
    return f"FROM {runtime}\n{requirements if has_requirements else ''}COPY --chown=1000:1000 . .\n"
