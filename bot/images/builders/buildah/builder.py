"""buildah: builds without a daemon, each one a process of its own.

What it needs on a Linux machine: buildah 1.28 or newer, runc, util-linux. RUN's cache mounts begin empty with every
build, so that no app can put something into another app's.
"""

import re
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from bot.images.builders.buildah import isolation
from bot.images.builders.buildah.failures import NEWER, failure, not_got, push_failure
from bot.images.builders.buildah.storage import Storage
from bot.images.builders.context import check, shown
from bot.images.builders.dockerfile import heredoc
from bot.images.builders.failures import says_full
from bot.images.builders.interface import BuildError, BuildPutOffError, Order, Probe
from bot.images.builders.process import Deadline, clean_environment
from bot.limits import BUILD_CACHE_BYTES, BUILD_SECONDS, PROBE_SECONDS
from bot.process import Ended, ask

_GET = "install buildah, runc and uidmap; it runs as root, or where user namespaces are allowed"
_HEREDOCS_SINCE = (1, 33)  # https://github.com/containers/buildah/blob/main/CHANGELOG.md
_MENDED = (1, 38)  # CVE-2024-1753 and CVE-2024-9675
_ISOLATIONS = ("oci", "chroot")


class Buildah:
    """A builder (`bot.images.builders.interface.Builder`)."""

    def __init__(
        self,
        state: Path,
        *,
        auth_file: Path | None = None,
        plain_http: frozenset[str] = frozenset(),
        seconds: float = BUILD_SECONDS,
        cache_bytes: int = BUILD_CACHE_BYTES,
        isolations: tuple[str, ...] = _ISOLATIONS,
        vfs: bool = False,
    ) -> None:
        """`state`: a folder of its own, which no other program uses at the same time. `auth_file`: logins, as docker
        and podman write them. `plain_http`: registries (HOST[:PORT]) without TLS, besides those on loopback.
        `isolations`: those that may be used. `vfs`: copy whole images instead of layering them, which is ten times
        slower and needs no support from the kernel.
        """
        self._storage = Storage(state.absolute(), "vfs" if vfs else "overlay", auth_file, plain_http)
        self._seconds = seconds
        self._cache_bytes = cache_bytes
        self._isolations = isolations
        self._found: isolation.Isolation | None = None
        self._version = ""
        self._lock = threading.Lock()

    def build(self, order: Order, log: Callable[[str], None], stop: threading.Event) -> str:
        """See `Builder.build`."""
        deadline = Deadline(stop, self._seconds)
        text = check(order)
        works = self.probe()
        if not works.works or self._found is None:
            raise BuildPutOffError(f"buildah does not work here: {works.what}; {works.get}")
        line = heredoc(text)
        if line and _numbers(self._version) < _HEREDOCS_SINCE:
            what = f"buildah {self._version} does not know here-documents (<<EOF); {NEWER}"
            raise BuildError(f"{shown(order)}:{line}: {what}")
        with self._storage.build() as scratch:
            environment, auth = self._storage.environment(scratch), [self._storage.auth_file]
            files = [order.context, order.dockerfile, *order.secrets.values()]
            is_full = False

            def watch(line: str) -> None:
                nonlocal is_full
                is_full = is_full or (says_full(line) and self._storage.is_full())
                log(line)

            try:
                arguments = self._arguments(order, self._found, scratch)
                command = self._storage.command(scratch, *arguments, readable=[*files, *auth])
                built = deadline.run(command, environment, watch)
                is_full = is_full or self._storage.is_full()  # what the build left is there until `clean`
                if image := not_got(built) if built.code else None:
                    pull = ("pull", f"--authfile={self._storage.auth_file}", "--", image)
                    pulled = deadline.run(self._storage.command(scratch, *pull, readable=auth), environment)
                    built = pulled if pulled.code else built
                if built.code:
                    raise failure(built, order, text, self._version, is_full=is_full)
                image = (scratch / "image").read_text().strip()
                push = self._storage.command(scratch, *self._push(order, image, scratch), readable=auth)
                pushed = deadline.run(push, environment, log)
                if pushed.code:
                    raise push_failure(pushed, order)
            except BaseException:
                self._storage.clean(scratch)
                raise
            self._storage.used(image)
            return (scratch / "digest").read_text().strip()

    def prune(self) -> None:
        """See `Builder.prune`. Images go whose last build is the longest ago."""
        self._storage.prune(self._cache_bytes)

    def probe(self) -> Probe:
        """Try a build with a RUN; a success is remembered."""
        with self._lock:
            if self._found:
                return Probe("buildah", True, self._what(self._found), _GET)
            with tempfile.TemporaryDirectory() as home:
                asked = ask(["buildah", "--version"], clean_environment(Path(home)), PROBE_SECONDS)
            number = re.search(r"\d+(\.\d+)+", asked.text)
            if asked.code or not number:
                return Probe("buildah", False, asked.text or "no answer", _GET)
            self._version = number[0]
            self._found, ended = isolation.find(self._isolations, self._try)
            if self._found:
                return Probe("buildah", True, self._what(self._found), _GET)
            why = next((line for line in reversed(ended.lines) if line.strip()), "it cannot run anything")
            return Probe("buildah", False, f"{self._version}, {why}", _GET)

    def _what(self, isolated: isolation.Isolation) -> str:
        """Return how builds are kept apart here, with a warning when only their root does it."""
        text = f"{self._version}, {isolated}, a root of its own"
        if _numbers(self._version) < _MENDED:
            text += " (warning: without that, builds could reach this machine by holes that buildah 1.38.0 has mended)"
        return text

    def _try(self, arguments: list[str]) -> Ended:
        with self._storage.build() as scratch:
            mark = self._storage.mark(scratch)
            command = self._storage.command(scratch, "build", *mark, *arguments, readable=[Path(arguments[-1])])
            try:
                return ask(command, self._storage.environment(scratch), PROBE_SECONDS)
            finally:
                self._storage.clean(scratch)

    def _arguments(self, order: Order, isolated: isolation.Isolation, scratch: Path) -> list[str | Path]:
        """Return the arguments of https://github.com/containers/buildah/blob/main/docs/buildah-build.1.md."""
        options = [
            "build",
            "--layers",
            "--force-rm=false",
            "--format=docker",
            *isolated.options,
            *self._storage.mark(scratch),
        ]
        options += [f"--authfile={self._storage.auth_file}", f"--iidfile={scratch / 'image'}"]
        options += [f"--file={order.dockerfile}", f"--tag={order.destination}"]
        options += ["--retry=1", "--retry-delay=1s", "--pull=true"]  # a base image that is newer than ours
        options += ["--no-cache"] if order.rebuild else []
        options += [f"--target={order.target}"] if order.target else []
        options += [f"--build-arg={name}={value}" for name, value in order.arguments.items()]
        options += [f"--label={name}={value}" for name, value in order.labels.items()]
        options += [f"--secret=id={name},src={path}" for name, path in order.secrets.items()]
        return [*options, "--", order.context]

    def _push(self, order: Order, image: str, scratch: Path) -> list[str | Path]:
        options = [f"--authfile={self._storage.auth_file}", f"--digestfile={scratch / 'digest'}"]
        return ["push", *options, "--", image, f"docker://{order.destination}"]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))
