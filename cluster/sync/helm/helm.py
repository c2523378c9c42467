"""The one function that runs helm, and the few things that are asked of it. Helm 3.15 or newer, or 4.

It gets no secret in its arguments: what it needs to reach the cluster it reads itself, from KUBECONFIG or the pod.
"""

import json
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot import process
from bot.errors import PermanentError, TransientError
from bot.program_environment import CLUSTER, listed_environment
from cluster.errors import ClusterError
from cluster.limits import HELM_ASK_SECONDS, HELM_END_SECONDS, HELM_STOP_SECONDS, MAX_HELM_LINES

_OLDEST = (3, 15)  # --dry-run=server together with --hide-secret, and --labels
# What helm says when it is the cluster that is away, not the chart or the values that are wrong. Go's errors of a
# request that was not answered begin with its method and URL: https://pkg.go.dev/net/url#Error.
_AWAY = re.compile(
    r"cluster unreachable|connection refused|connection reset|i/o timeout|TLS handshake timeout|no route to host"
    r"|http2: |client rate limiter|etcdserver: |\bEOF$|the server is currently unable|apiserver not ready"
    r"|no such host|server misbehaving|context canceled|has been cancelled|\b(get|post|put|patch|delete) \"https?://"
    r"|couldn't get version/kind; json parse error"  # an answer that is none
    r"|too many requests|has prevented the request from succeeding|unable to return a response in the time allotted",
    re.IGNORECASE,
)
# What it says when sync lacks a right, or its token is no longer one.
_REFUSED = re.compile(
    r"is forbidden: User |\bUnauthorized\b|must be logged in|asked for the client to provide credentials"
)
# What helm, or Kubernetes through it, says of the chart, the values or an object: the same comes out of the next try.
_OF_THE_OBJECT = re.compile(
    r"is invalid|execution error|parse error|template:|templates/|don't meet the specifications|error validating"
    r"|error converting YAML|YAML: |cannot unmarshal|Chart\.|chart requires"
    r"|unable to build kubernetes objects|no matches for kind|resource mapping not found|unable to decode|unknown field"
    r"|ownership metadata|denied the request|exceeded quota|immutable|BackoffLimitExceeded|job failed|DeadlineExceeded"
    r"|timed out waiting|deadline exceeded|not ready|progress deadline|incompatible with"
    r"|release: not found|release has no|has no deployed releases|is not a valid|must be|cannot be handled as",
    re.IGNORECASE,
)
# And what it says when another helm was quicker: at work already, or a moment ago.
_BUSY = re.compile(
    r"another operation \(install/upgrade/rollback\) is in progress|release: already exists"
    r"|cannot re-?use a name that is still in use"
)


class HelmError(ClusterError):
    """Helm said no; the message is what it said last."""


class HelmUnclearError(HelmError):
    """Helm said no, and nothing of the chart, the values or an object: the next try may go well."""


class HelmRefusedError(ClusterError, PermanentError):
    """The cluster refuses what helm does for want of rights; nothing is wrong with what is deployed."""


class HelmAwayError(ClusterError, TransientError):
    """Helm could not do its work for now: the cluster did not answer, or helm was stopped. Later it may."""


class HelmBusyError(HelmAwayError):
    """Somebody else's helm is at work on that release, or was quicker."""


@dataclass(frozen=True)
class Revision:
    """A revision that helm made of a release."""

    number: int
    manifest: str  # YAML; without hooks


class Helm:
    """Several threads may use it."""

    def __init__(
        self,
        program: str,
        folder: Path,
        seconds: float,
        secrets: Sequence[str] = (),
        context: str = "",
        driver: str = "secret",
    ) -> None:
        """Take a folder for helm's own files, and the seconds that a change may take. Raises ClusterError.

        `context`: of the kubeconfig file, in place of the current one; `driver`: what helm keeps its releases in,
        `secret` or `configmap`.
        """
        self._program = program
        self._seconds = seconds
        self._secrets = secrets
        self._environment = (
            _environment(folder) | {"HELM_DRIVER": driver} | ({"HELM_KUBECONTEXT": context} if context else {})
        )
        self._stops: list[threading.Event] = []  # of what runs
        self._lock = threading.Lock()
        self._closed = False
        self.runs = self.errors = 0  # for /metrics
        self._major = self._check_version()

    def upgrade(
        self, release: str, namespace: str, chart: Path, values: Sequence[Path], fingerprint: str, stop: threading.Event
    ) -> Revision:
        """Install or upgrade, and wait until it is ready. What fails is rolled back; the very first is uninstalled.

        Raises helm's errors.
        """
        on_failure = ["--atomic"] if self._major == 3 else ["--rollback-on-failure"]
        # The release as JSON, so that nobody needs to read it from the cluster; warnings and hooks go to stderr.
        out = self._change(release, namespace, chart, values, fingerprint, stop, *on_failure, "--output=json")
        try:
            found = json.loads(out)
            return Revision(int(found["version"]), str(found["manifest"]))
        except (ValueError, KeyError, TypeError):  # it is there all the same, as the next look finds
            raise HelmAwayError("helm upgrade: what it says of the release cannot be read") from None

    def apply(
        self, release: str, namespace: str, chart: Path, values: Sequence[Path], fingerprint: str, stop: threading.Event
    ) -> None:
        """Install or upgrade, and leave it to others to see how it gets on. Raises helm's errors."""
        self._change(release, namespace, chart, values, fingerprint, stop)

    def preview(self, release: str, namespace: str, chart: Path, values: Sequence[Path]) -> str:
        """Return the manifest as an upgrade would make it, `lookup` included. Raises helm's errors."""
        arguments = [*self._upgrade(release, namespace, chart, values), "--dry-run=server", "--output=json"]
        found: dict[str, Any] = json.loads(self._run(arguments, self._change_seconds))
        return str(found["manifest"])

    def roll_back(self, release: str, namespace: str, revision: int, stop: threading.Event) -> None:
        """Bring back an older revision, as a new one. Raises helm's errors."""
        arguments = ["rollback", release, str(revision), "--namespace", namespace, "--wait"]
        force = [] if self._major == 3 else ["--server-side=true", "--force-conflicts"]
        self._run([*arguments, *force, "--timeout", f"{self._seconds:g}s"], self._change_seconds, stop)

    def uninstall(self, release: str, namespace: str, stop: threading.Event) -> None:
        """Remove it, but for what is to be kept, and its volumes. Raises helm's errors."""
        arguments = ["uninstall", release, "--namespace", namespace, "--ignore-not-found", "--wait"]
        self._run([*arguments, "--timeout", f"{self._seconds:g}s"], self._change_seconds, stop)

    def close(self) -> None:
        """End what runs; later calls fail. For the end of the program."""
        with self._lock:
            self._closed = True
            for stop in self._stops:
                stop.set()

    @property
    def _change_seconds(self) -> float:
        # A failed upgrade waits once more, for its rollback.
        return 2 * self._seconds + HELM_END_SECONDS

    def _change(
        self,
        release: str,
        namespace: str,
        chart: Path,
        values: Sequence[Path],
        fingerprint: str,
        stop: threading.Event,
        *options: str,
    ) -> str:
        # What somebody changed by hand is his field, for the API server; helm 4 would leave it so and fail.
        force = [] if self._major == 3 else ["--server-side=true", "--force-conflicts"]
        labels = ["--labels", f"dppctl.io/fingerprint={fingerprint}"] if fingerprint else []
        limit = ["--timeout", f"{self._seconds:g}s"]
        arguments = [*self._upgrade(release, namespace, chart, values), *force, *labels, *limit, *options]
        return self._run(arguments, self._change_seconds, stop)

    def _upgrade(self, release: str, namespace: str, chart: Path, values: Sequence[Path]) -> list[str]:
        files = [part for file in values for part in ("--values", str(file))]
        return ["upgrade", "--install", release, str(chart), "--namespace", namespace, *files]

    def _check_version(self) -> int:
        text = self._run(["version", "--template", "{{.Version}}"], HELM_ASK_SECONDS)
        found = re.search(r"v(\d+)\.(\d+)", text)
        version = (int(found[1]), int(found[2])) if found else (0, 0)
        if version < _OLDEST:
            raise ClusterError(f"helm {text.strip()} is too old; install helm 3.15 or newer, or 4")
        return version[0]

    def _run(self, arguments: Sequence[str], seconds: float, stop: threading.Event | None = None) -> str:
        """Return what helm writes to stdout. Raises HelmError or HelmAwayError, and ClusterError without helm."""
        stop = stop or threading.Event()
        with self._lock:
            if self._closed or stop.is_set():
                raise HelmAwayError(f"helm {arguments[0]}: stopped")
            self._stops.append(stop)
            self.runs += 1
        try:
            ended = process.run(
                [self._program, *arguments],
                environment=self._environment,
                seconds=seconds,
                stop=stop,
                grace=HELM_STOP_SECONDS,
                secrets=self._secrets,
                separate=True,
            )
        except process.StartError as error:
            raise ClusterError(f"helm cannot be started: {error.reason}; install helm 3.15 or newer, or 4") from None
        except process.TimeLimitError:
            raise HelmAwayError(f"helm {arguments[0]}: no end within {seconds:g} seconds") from None
        except process.StoppedError as stopped:
            if stopped.ended is None:
                raise HelmAwayError(f"helm {arguments[0]}: stopped") from None
            ended = stopped.ended
        finally:
            with self._lock:
                self._stops.remove(stop)
        if ended.code == 0:
            return ended.out
        self.errors += 1
        message = f"helm {arguments[0]}: {_last_words(ended.text) or ended.code}"
        if _BUSY.search(message):
            raise HelmBusyError(message)
        if ended.code < 0 or stop.is_set():
            raise HelmAwayError(message)
        raise _kind(message)(message)


def _kind(message: str) -> type[ClusterError]:
    """Return the error that helm's message is."""
    if _AWAY.search(message):
        return HelmAwayError
    if _REFUSED.search(message):
        return HelmRefusedError
    return HelmError if _OF_THE_OBJECT.search(message) else HelmUnclearError


def _last_words(err: str) -> str:
    """Return what follows `Error:`; before it are warnings, and in helm 4 the same once more as a log line."""
    error = err.rpartition("\nError: ")[2] if "\nError: " in err else err.removeprefix("Error: ")
    lines = [line.rstrip() for line in error.splitlines() if line.strip() and not line.startswith("level=")]
    return "\n".join(lines[:MAX_HELM_LINES])


def _environment(folder: Path) -> dict[str, str]:
    """Return helm's environment variables: https://helm.sh/docs/helm/helm/.

    What it learns about the cluster's API goes into its own folder too: where HOME cannot be written, each helm would
    read all of it anew. A helm lives for about a second, so it need not collect garbage often: a sixth less CPU, for
    some 20 MB more (https://go.dev/doc/gc-guide).
    """
    kinds = ("cache", "config", "data")
    homes = {f"HELM_{kind.upper()}_HOME": str(folder / kind) for kind in kinds}
    go = {"GOGC": "400", "GOMEMLIMIT": "256MiB"}
    return go | listed_environment(*CLUSTER, *go) | homes | {"KUBECACHEDIR": str(folder / "kube")}
