"""buildkit: builds as Jobs in a Kubernetes cluster, with layers cached in the registry.

Here is what happens to one Job: create it, give it the files, pass on its log, read the digest, delete it. What it
consists of is in `job.py`, the calls to the cluster in `build_job.py`.
"""

import json
import queue
import re
import secrets
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import IO, Any

from bot.images.builders.buildkit.build_job import BuildJob
from bot.images.builders.buildkit.job import Cluster, daemon_config, job
from bot.images.builders.buildkit_failures import digest, failure
from bot.images.builders.context import check
from bot.images.builders.frontends import check_frontend
from bot.images.builders.interface import BuildError, BuildPutOffError, Order, Probe
from bot.images.builders.masking import masked
from bot.images.builders.process import Deadline
from bot.images.builders.source_policy import source_policy
from bot.kubernetes import KubernetesClient, KubernetesError
from bot.limits import BUILD_SECONDS, BUILD_START_SECONDS, MAX_PROGRAM_LINES
from bot.process import Ended

_GET = "let KUBECONFIG name a cluster, in which this account may create Jobs in the namespace for builds"
_NEEDED = (("create", "batch", "jobs"), ("create", "", "pods/exec"), ("get", "", "pods/log"))
_LOOK_SECONDS = 0.5
_MENDED = (0, 31, 1)  # https://github.com/moby/buildkit/security/advisories
_BROKEN = {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "CreateContainerConfigError"}


class BuildKit:
    """A builder (`bot.images.builders.interface.Builder`)."""

    def __init__(
        self,
        cluster: Cluster,
        *,
        plain_http: frozenset[str] = frozenset(),
        ca: tuple[str, Path] | None = None,
        seconds: float = BUILD_SECONDS,
        frontends: frozenset[str] = frozenset(),
    ) -> None:
        """`plain_http`: registries (HOST[:PORT]) without TLS, besides those on the pod's own loopback.

        `ca`: HOST[:PORT] and the file with the authorities that its certificate is of.
        `frontends`: those that a Dockerfile may name.
        """
        self._frontends = frontends
        self._cluster = cluster
        self._plain_http = plain_http
        self._ca = ca
        self._seconds = seconds

    def build(self, order: Order, log: Callable[[str], None], stop: threading.Event) -> str:
        """See `Builder.build`. Everything that the cluster's API refuses is put off."""
        deadline = Deadline(stop, self._seconds)
        check_frontend(order, check(order), self._frontends)
        try:
            return self._build(order, deadline, log)
        except (KubernetesError, OSError) as error:
            raise BuildPutOffError(str(error)) from None

    def _build(self, order: Order, deadline: Deadline, log: Callable[[str], None]) -> str:
        name = f"build-{secrets.token_hex(5)}"
        build_job = BuildJob(self._client(), self._cluster.namespace, name)
        manifest = job(order, self._cluster, name, self._seconds, self._plain_http, configured=self._ca is not None)
        try:
            build_job.create(manifest)
            _wait(build_job, "files", deadline)
            with tempfile.TemporaryFile() as archive:
                pack(order, self._plain_http, archive, self._ca)
                build_job.send(archive, deadline)
            return _follow(build_job, order, deadline, log)
        finally:
            with suppress(Exception):  # Kubernetes deletes it by itself, later
                build_job.delete()

    def prune(self, apps: Collection[str] | None = None) -> None:
        """Do nothing: the cache is in the registry, whose own rules for old images keep it small."""

    def probe(self) -> Probe:
        """Ask the cluster whether this account may do what a build needs."""
        namespace = self._cluster.namespace
        try:
            client = self._client()
            version = client.version()
            for verb, group, resource in _NEEDED:
                if not client.may(verb, group, resource, namespace):
                    what = f"may not {verb} {resource} in namespace {namespace}"
                    return Probe("buildkit", False, f"Kubernetes {version}: this account {what}", _GET)
        except KubernetesError as error:
            return Probe("buildkit", False, str(error), _GET)
        what = f"Kubernetes {version}, namespace {namespace}"
        tag = re.search(r":v?(\d+)\.(\d+)\.(\d+)", self._cluster.image)
        if tag and tuple(map(int, tag.groups())) < _MENDED:
            known = ".".join(map(str, _MENDED))
            what += (
                f" (warning: {self._cluster.image} has known holes; let DPPCTL_BUILDKIT_IMAGE name {known} or newer)"
            )
        return Probe("buildkit", True, what, _GET)

    def _client(self) -> KubernetesClient:
        return KubernetesClient(self._cluster.kubeconfig, self._cluster.context)


def _wait(build_job: BuildJob, container: str, deadline: Deadline) -> None:
    """Wait until that container runs, or has ended. Raises BuildPutOffError when it does not start."""
    until = time.monotonic() + BUILD_START_SECONDS
    while True:
        deadline.check()
        pod = build_job.pod()
        ended_container(pod)
        state = _state(pod, container)
        if state.get("running") or state.get("terminated"):
            return
        waiting = state.get("waiting") or {}
        if waiting.get("reason") in _BROKEN:
            raise BuildPutOffError(f"the cluster cannot start BuildKit: {waiting.get('message') or waiting['reason']}")
        if time.monotonic() > until:
            conditions = (pod.get("status") or {}).get("conditions") or [{}]
            why = conditions[0].get("message") or waiting.get("reason") or "no pod was made"
            raise BuildPutOffError(f"the cluster did not start BuildKit within {BUILD_START_SECONDS:g} seconds: {why}")
        time.sleep(_LOOK_SECONDS)


def _follow(build_job: BuildJob, order: Order, deadline: Deadline, log: Callable[[str], None]) -> str:
    """Pass on the log until the build has ended; return the digest. Raises BuildError or BuildPutOffError."""
    _wait(build_job, "buildkit", deadline)
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    threading.Thread(target=build_job.log, args=[lines.put, masked(order)], name="log of a build", daemon=True).start()
    last: list[str] = []
    while True:
        deadline.check()
        with suppress(queue.Empty):
            line = lines.get(timeout=_LOOK_SECONDS)
            if line is None:
                break
            last = [*last[-MAX_PROGRAM_LINES:], line]
            log(line)
    while not (ended := ended_container(build_job.pod())):
        deadline.check()
        time.sleep(_LOOK_SECONDS)
    if ended.get("exitCode"):
        if ended.get("reason") == "OOMKilled":
            raise BuildError("the build needed more memory than the cluster's limit for builds; make it smaller")
        raise failure(Ended(int(ended["exitCode"]), last), order)
    if found := digest(ended.get("message") or ""):
        return found
    raise BuildPutOffError("BuildKit built the image and did not say which")


def ended_container(pod: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return how BuildKit's container ended; None: it has not. Raises BuildPutOffError when its node ended the pod.

    A node whose disk is full evicts pods, and then says nothing of their containers:
    https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/
    """
    status = pod.get("status") or {}
    if status.get("phase") == "Failed" and status.get("reason"):
        why = f"{status['reason']}: {status.get('message') or ''}".rstrip(": ")
        raise BuildPutOffError(f"the cluster's node ended the build: {why}")
    return _state(pod, "buildkit").get("terminated")


def _state(pod: Mapping[str, Any], container: str) -> dict[str, Any]:
    """Return a container's status as Kubernetes gives it: `waiting`, `running` or `terminated`."""
    status = pod.get("status") or {}
    for container_status in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        if container_status["name"] == container:
            return dict(container_status.get("state") or {})
    return {}


def pack(order: Order, plain_http: frozenset[str], archive: IO[bytes], ca: tuple[str, Path] | None = None) -> None:
    """Write what the init container gets to the archive: files/ and secrets/, as they lie below its folder."""
    with tarfile.open(fileobj=archive, mode="w:gz", compresslevel=1) as tar:
        tar.add(order.context, "files/context")
        tar.add(order.dockerfile, "files/dockerfile/Dockerfile")
        for name, path in order.secrets.items():
            tar.add(path, f"secrets/{name}")
        if ca:
            tar.add(ca[1].resolve(), "files/registry-ca.pem")
        config = daemon_config(plain_http, ca[0] if ca else None)
        for name, text in (("buildkitd.toml", config), ("source-policy.json", json.dumps(source_policy(order, ())))):
            member = tarfile.TarInfo(f"files/{name}")
            member.size = len(text.encode())
            tar.addfile(member, BytesIO(text.encode()))
