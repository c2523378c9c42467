"""buildah: builds without a daemon, each one a process of its own.

What it needs on a Linux machine: buildah 1.28 or newer, runc, util-linux. Each app has layers of its own (`storages`),
and RUN's cache mounts begin empty with every build, so that no app gets or gives another one something.
"""

import json
import re
import tempfile
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.errors import DppctlError
from bot.images.builders.buildah import isolation
from bot.images.builders.buildah.failures import NEWER, failure, not_got, push_failure
from bot.images.builders.buildah.storage import Storage
from bot.images.builders.buildah.storages import AppStorages
from bot.images.builders.context import check, shown
from bot.images.builders.dockerfile import base_images, heredoc
from bot.images.builders.failures import says_full
from bot.images.builders.interface import BuildError, BuildPutOffError, Order, Probe
from bot.images.builders.masking import masked
from bot.images.builders.process import Deadline, clean_environment
from bot.images.registry.credentials import logins_for
from bot.images.registry.errors import RegistryError
from bot.limits import BUILD_CACHE_BYTES, BUILD_SECONDS, MAX_SHARED_BASES, PROBE_SECONDS
from bot.model.image_reference import Reference
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
        common: Collection[str] = (),
    ) -> None:
        """`state`: a folder of its own, which other processes of ours may use too. `auth_file`: logins, as docker and
        podman write them. `plain_http`: registries (HOST[:PORT]) without TLS, besides those on loopback.
        `isolations`: those that may be used. `vfs`: copy whole images instead of layering them, which is ten times
        slower and needs no support from the kernel. `common`: images (HOST/NAME, and what is below) that any app may
        have with our login.
        """
        self._storages = AppStorages(state.absolute(), "vfs" if vfs else "overlay", plain_http)
        self._auth_file = auth_file
        self._common = common
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
        with self._storages.build(order.app, deadline.check) as (storage, scratch):
            self._get_bases(order, text, deadline)
            try:
                return self._built(order, text, _Folder(storage, scratch), deadline, log)
            finally:
                storage.clean(scratch)  # also of a build that succeeds: the container of a stage without instructions

    def _built(self, order: Order, text: str, at: "_Folder", deadline: Deadline, log: Callable[[str], None]) -> str:
        """Build and push there. Raises as `build` does."""
        is_full = False

        def watch(line: str) -> None:
            nonlocal is_full
            is_full = is_full or (says_full(line) and at.storage.is_full())
            log(line)

        login = self._login(order.logins, at.scratch)
        files = [order.context, order.dockerfile, *order.secrets.values(), login]
        built = at.run(deadline, self._arguments(order, at, login), files, watch, masked(order))
        is_full = is_full or at.storage.is_full()  # what the build left is there until `clean`
        if image := not_got(built) if built.code else None:
            pulled = at.run(deadline, ["pull", f"--authfile={login}", "--", image], [login])
            built = pulled if pulled.code else built
        if built.code:
            raise failure(built, order, text, self._version, is_full=is_full)
        image = (at.scratch / "image").read_text().strip()
        login = self._login(None, at.scratch)
        options = [f"--authfile={login}", f"--digestfile={at.scratch / 'digest'}"]
        pushed = at.run(deadline, ["push", *options, "--", image, f"docker://{order.destination}"], [login], log)
        if pushed.code:
            raise push_failure(pushed, order)
        if order.secrets:  # another build with the same steps, and without the secrets, is not to find them
            at.storage.forget(at.scratch, image)
        else:
            at.storage.used(image)
        return (at.scratch / "digest").read_text().strip()

    def _get_bases(self, order: Order, text: str, deadline: Deadline) -> None:
        """Get the base images that any app may have, once for all apps; the build itself gets the others."""
        for name in base_images(text, order.arguments)[:MAX_SHARED_BASES] if self._storages.shares else ():
            try:
                reference = Reference.parse(name)
            except DppctlError:  # which the build says better
                continue
            with self._storages.base.build(deadline.check) as scratch:
                login = self._login(self._common, scratch)
                pull = ["pull", "--policy=ifnewer", "--retry=0", f"--authfile={login}", "--", str(reference)]
                _Folder(self._storages.base, scratch).run(deadline, pull, [login])

    def _login(self, images: Collection[str] | None, scratch: Path) -> Path:
        """Return a file with the logins for these images; None: all logins. Raises BuildPutOffError."""
        if images is None and self._auth_file:
            return self._auth_file
        file = scratch / "auth.json"  # there is always one, so that buildah does not use this machine's own logins
        try:
            held = logins_for(self._auth_file, images or ()) if self._auth_file else {}
        except RegistryError as error:
            raise BuildPutOffError(f"DPPCTL_REGISTRY_AUTH_FILE: {error}") from None
        file.touch(0o600)
        file.write_text(json.dumps(held))
        return file

    def prune(self, apps: Collection[str] | None = None) -> None:
        """See `Builder.prune`. Images go whose last build is the longest ago."""
        self._storages.prune(self._cache_bytes, apps)

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
        with self._storages.build("") as (storage, scratch):
            command = ["build", *storage.mark(scratch), *arguments]
            try:
                shown = storage.command(scratch, *command, readable=[Path(arguments[-1])])
                return ask(shown, storage.environment(scratch), PROBE_SECONDS)
            finally:
                storage.clean(scratch)

    def _arguments(self, order: Order, at: "_Folder", login: Path) -> list[str | Path]:
        """Return the arguments of https://github.com/containers/buildah/blob/main/docs/buildah-build.1.md."""
        options = ["build", "--force-rm=false", "--format=docker", *at.storage.mark(at.scratch)]
        options += self._found.options if self._found else []
        # No layer of a build with secrets is kept: a later build would get it with other secrets, or without any.
        options += ["--layers=false"] if order.secrets else ["--layers"]
        options += [f"--authfile={login}", f"--iidfile={at.scratch / 'image'}"]
        options += [f"--file={order.dockerfile}", f"--tag={order.destination}"]
        options += ["--retry=1", "--retry-delay=1s", "--pull=true"]  # a base image that is newer than ours
        options += ["--no-cache"] if order.rebuild else []
        options += [f"--target={order.target}"] if order.target else []
        options += [f"--build-arg={name}={value}" for name, value in order.arguments.items()]
        options += [f"--label={name}={value}" for name, value in order.labels.items()]
        options += [f"--secret=id={name},src={path}" for name, path in order.secrets.items()]
        return [*options, "--", order.context]


@dataclass(frozen=True)
class _Folder:
    """The files of a build, in its app's storage."""

    storage: Storage
    scratch: Path

    def run(
        self,
        deadline: Deadline,
        arguments: Sequence[str | Path],
        readable: Sequence[Path],
        log: Callable[[str], None] = lambda _line: None,
        secrets: Sequence[str] = (),
    ) -> Ended:
        """Run `buildah ARGUMENTS`, which sees these files too. Raises as `Deadline.run` does."""
        command = self.storage.command(self.scratch, *arguments, readable=readable)
        return deadline.run(command, self.storage.environment(self.scratch), log, secrets)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))
