"""docker: builds with buildx, on the machine's docker daemon or on one that DOCKER_HOST names.

A daemon's cache is shared by all that use it; it needs a setting of its own for registries without TLS, loopback
excepted.
"""

import json
import re
import tempfile
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from bot.images.builders.buildkit_failures import digest, failure
from bot.images.builders.context import check
from bot.images.builders.failures import clipped
from bot.images.builders.frontends import check_frontend
from bot.images.builders.interface import BuildPutOffError, Order, Probe
from bot.images.builders.masking import masked
from bot.images.builders.process import Deadline, clean_environment
from bot.images.builders.source_policy import source_policy
from bot.images.registry.credentials import login_hosts
from bot.limits import BUILD_CACHE_BYTES, BUILD_SECONDS, BUILDER_SECONDS, PROBE_SECONDS
from bot.process import StartError, ask

_GET = "install docker with its buildx plugin and start it, or let DOCKER_HOST name a daemon that runs"
# https://docs.docker.com/reference/cli/docker/#environment-variables
_SETTINGS = (
    *("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY", "DOCKER_API_VERSION"),
    *("DOCKER_CONFIG", "BUILDX_BUILDER", "XDG_RUNTIME_DIR"),
)
_NO_BUILDX = re.compile(r"^unknown flag: --push|unknown command: docker buildx|'buildx' is not a docker command")


class Docker:
    """A builder (`bot.images.builders.interface.Builder`)."""

    def __init__(
        self,
        *,
        auth_file: Path | None = None,
        seconds: float = BUILD_SECONDS,
        cache_bytes: int = BUILD_CACHE_BYTES,
        anew: bool = False,
        frontends: frozenset[str] = frozenset(),
    ) -> None:
        """`auth_file`: logins, as docker and podman write them; without one, docker's own configuration counts.

        `anew`: take over no step of an earlier build, whose app may have had a secret that this one has not.
        `frontends`: those that a Dockerfile may name.
        """
        self._frontends = frontends
        self._anew = anew
        self._auth_file = auth_file
        self._seconds = seconds
        self._cache_bytes = cache_bytes

    def build(self, order: Order, log: Callable[[str], None], stop: threading.Event) -> str:
        """See `Builder.build`. The daemon ends a build whose docker command has ended."""
        deadline = Deadline(stop, self._seconds)
        check_frontend(order, check(order), self._frontends)
        with tempfile.TemporaryDirectory(prefix="dppctl-build-") as folder:
            environment = self._environment(Path(folder), order)
            metadata = Path(folder) / "metadata.json"
            try:
                command = arguments(replace(order, rebuild=order.rebuild or self._anew), metadata)
                built = deadline.run(command, environment, log, masked(order))
            except StartError as error:
                raise BuildPutOffError(f"{error}; {_GET}") from None
            if built.code and _NO_BUILDX.search(built.text):
                raise BuildPutOffError(f"docker: there is no buildx plugin; {_GET}")
            if built.code:
                raise failure(built, order)
            found = digest(metadata.read_text()) if metadata.exists() else None
        if found is None:
            raise BuildPutOffError("docker did not say what it built; install a newer buildx (0.8 is enough)")
        return found

    def prune(self, apps: Collection[str] | None = None) -> None:  # noqa: ARG002
        """See `Builder.prune`. https://docs.docker.com/reference/cli/docker/buildx/prune/."""
        command = ["docker", "buildx", "prune", "--force", f"--keep-storage={self._cache_bytes}"]
        with tempfile.TemporaryDirectory(prefix="dppctl-build-") as folder:
            ask(command, self._environment(Path(folder)), BUILDER_SECONDS)

    def probe(self) -> Probe:
        """Ask the daemon for its version, and docker for buildx."""
        with tempfile.TemporaryDirectory(prefix="dppctl-build-") as folder:
            environment = self._environment(Path(folder))
            asked = ask(["docker", "version", "--format={{.Server.Version}}"], environment, PROBE_SECONDS)
            if asked.code == 127:
                return Probe("docker", False, asked.text, _GET)
            if asked.code:
                return Probe("docker", False, f"docker: the daemon does not answer: {clipped(asked.text)}", _GET)
            buildx = ask(["docker", "buildx", "version"], environment, PROBE_SECONDS)
        number = re.search(r"\d+(\.\d+)+", buildx.text)
        if buildx.code or not number:
            return Probe("docker", False, "docker: there is no buildx plugin", _GET)
        return Probe("docker", True, f"{asked.text.strip()}, buildx {number[0]}", _GET)

    def _environment(self, folder: Path, order: Order | None = None) -> dict[str, str]:
        environment = clean_environment(Path.home(), *_SETTINGS)
        # Without attestations the digest is that of the image itself, not of an index around it.
        environment["BUILDX_NO_DEFAULT_ATTESTATIONS"] = "1"
        if self._auth_file:
            own = Path(environment.get("DOCKER_CONFIG", Path.home() / ".docker"))
            (folder / "config.json").write_text(json.dumps(config(self._auth_file, own)))
            environment["DOCKER_CONFIG"] = str(folder)
        if order and order.logins is not None:
            # https://docs.docker.com/build/building/variables/#experimental_buildkit_source_policy
            hosts = login_hosts(self._auth_file) if self._auth_file else ()
            policy = folder / "source-policy.json"
            policy.write_text(json.dumps(source_policy(order, hosts)))
            environment["EXPERIMENTAL_BUILDKIT_SOURCE_POLICY"] = str(policy)
        return environment


def arguments(order: Order, metadata: Path) -> list[str | Path]:
    """Return the command of https://docs.docker.com/reference/cli/docker/buildx/build/."""
    options = ["--push", "--progress=plain", f"--metadata-file={metadata}"]
    options += [f"--file={order.dockerfile}", f"--tag={order.destination}"]
    options += ["--pull", *(["--no-cache"] if order.rebuild else [])]
    options += [f"--target={order.target}"] if order.target else []
    options += [f"--build-arg={name}={value}" for name, value in order.arguments.items()]
    if order.app:  # caches of RUN are an app's own: https://docs.docker.com/build/building/variables/
        options += [f"--build-arg=BUILDKIT_CACHE_MOUNT_NS={sha256(order.app.encode()).hexdigest()[:16]}"]
    options += [f"--label={name}={value}" for name, value in order.labels.items()]
    options += [f"--secret=id={name},src={path}" for name, path in order.secrets.items()]
    return ["docker", "buildx", "build", *options, "--", order.context]


def config(auth_file: Path, own: Path) -> Mapping[str, object]:
    """Return a configuration of docker with these logins and the plugins of `own`, the user's. Raises BuildPutOffError.

    https://docs.docker.com/reference/cli/docker/#docker-cli-configuration-file-configjson-properties
    """
    try:
        logins = json.loads(auth_file.read_text())
    except (OSError, ValueError) as error:
        raise BuildPutOffError(f"DPPCTL_REGISTRY_AUTH_FILE: {auth_file} cannot be read: {error}") from None
    if not isinstance(logins, dict) or not isinstance(logins.get("auths", {}), dict):
        raise BuildPutOffError(f'DPPCTL_REGISTRY_AUTH_FILE: {auth_file}: expected {{"auths": {{…}}}}')
    return {**logins, "cliPluginsExtraDirs": [str(own / "cli-plugins")]}
