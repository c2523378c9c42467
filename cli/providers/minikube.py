"""A Kubernetes cluster on this machine, by minikube (https://minikube.sigs.k8s.io/docs/commands/).

Its first start takes minutes, so it goes on by itself; a start that failed is told once, and the next init begins anew.
"""

import json
import re
import shutil
import time
from collections.abc import Mapping
from typing import ClassVar

from bot import process
from bot.program_environment import CLUSTER, listed_environment
from cli.errors import InputError
from cli.home_folder import home_folder
from cli.limits import MINIKUBE_FAILURE_SECONDS, MINIKUBE_START_SECONDS, MINIKUBE_STATUS_SECONDS
from cli.providers.background import BackgroundProgram
from cli.providers.kubeconfig import Kubeconfig
from cli.providers.provider import ClusterState

_OWN_VARIABLES = ("MINIKUBE_*", "DOCKER_*", "CHANGE_MINIKUBE_NONE_USER")
_PROFILE, _NAMESPACE = "minikubeProfile", "minikubeNamespace"
_MISSING = ("Missing", "Nonexistent")


class Minikube(Kubeconfig):
    """`minikubeProfile` (default: minikube), which is the context's name too, and `minikubeNamespace`."""

    kind = "minikube"
    makes_cluster: ClassVar[bool] = True
    begun_lines: ClassVar[tuple[str, ...]] = (
        "Initializing a local minikube cluster",
        "Track progress by re-running dppctl init",
    )

    def __init__(self, settings: Mapping[str, str]) -> None:
        self._profile = settings.get(_PROFILE) or "minikube"
        if not re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{1,62}", self._profile):
            raise InputError(f"{_PROFILE} {self._profile[:100]!r}: expected letters, digits and -, such as minikube")
        folder = home_folder() / "minikube" / self._profile
        self._start, self._made = BackgroundProgram(folder), folder / "made"
        namespace = settings.get(_NAMESPACE) or "dppctl"
        super().__init__({"kubeconfigContext": self._profile, "kubeconfigNamespace": namespace})

    def settings(self) -> dict[str, str]:
        """Return both by name."""
        return {_PROFILE: self._profile, _NAMESPACE: self.namespace}

    def ready(self) -> str:
        """Ask minikube first, then the API server."""
        if (found := self._status()) != "Running":
            raise InputError(
                f"minikube's cluster {self._profile} is {found.lower()}; run dppctl init {self.kind} once more"
            )
        return super().ready().replace("kubeconfig cluster", f"{self.kind} cluster", 1)

    def ready_line(self, workers: int, databases: int) -> str:
        """Return such as: Cluster is ready with 1 worker pod."""
        counts = [f"{workers} worker pod{'' if workers == 1 else 's'}"]
        if databases:
            counts.append(f"{databases} DB pod{'' if databases == 1 else 's'}")
        return f"Cluster is ready with {' and '.join(counts)}"

    def state(self) -> ClusterState:
        """Return how far the start is that init began, else what minikube says."""
        if started := self._start.state():
            if started.is_running:
                if time.time() - started.begun < MINIKUBE_START_SECONDS:
                    return ClusterState("starting", "Waiting for local minikube cluster to be created")
                minutes = f"{MINIKUBE_START_SECONDS / 60:.0f} minutes"
                return ClusterState(
                    "failed", f"minikube start did not end within {minutes}; its log: {self._start.log}"
                )
            self._start.forget()
            if started.code:
                return ClusterState("failed", self._failure(started.last_line))
        if (status := self._status()) == "Running":
            return ClusterState("ready", f"minikube's cluster {self._profile} runs")
        return ClusterState("missing", f"minikube's cluster {self._profile} is {status.lower()}")

    def start(self, *, dry_run: bool) -> str | None:
        """Have minikube start the cluster, or make the namespace of one that runs. Raises InputError.

        What fails at once, such as without a driver, is said at once; the rest goes on when this process has ended.
        """
        state = self.state()
        if state.phase == "ready":
            return super().start(dry_run=dry_run)
        if state.phase == "failed":
            raise InputError(state.line)
        if state.phase == "starting":
            return None
        if not dry_run:
            if self._status() in _MISSING:
                self._made.parent.mkdir(parents=True, exist_ok=True)
                self._made.touch()
            # The person's current context stays what it is.
            command = [_minikube(), "start", "--profile", self._profile, "--keep-context"]
            self._start.start(command, _environment())
            self._wait_for_a_failure()
        return f"start minikube's cluster {self._profile}"

    def remove(self, *, dry_run: bool) -> list[str]:
        """Delete the cluster that init made; one that was there before stays. Raises InputError."""
        status = self._status()
        if not self._made.exists():
            if status in _MISSING:
                return []
            return [f"leave minikube's cluster {self._profile}: it was there before init"]
        if not dry_run:
            self._start.end()
            self._run("delete", "--profile", self._profile, seconds=MINIKUBE_START_SECONDS)
            self._start.forget()
            self._made.unlink(missing_ok=True)
        return [f"delete minikube's cluster {self._profile}"]

    def _wait_for_a_failure(self) -> None:
        end = time.monotonic() + MINIKUBE_FAILURE_SECONDS
        while time.monotonic() < end:
            found = self._start.state()
            if found is None or not found.is_running:
                self._start.forget()
                if found and found.code:
                    self._forget_if_nothing_was_made()
                    raise InputError(self._failure(found.last_line))
                return
            time.sleep(0.1)

    def _forget_if_nothing_was_made(self) -> None:
        if self._status() in _MISSING:
            self._made.unlink(missing_ok=True)

    def _failure(self, line: str) -> str:
        return f"minikube start: {line or 'it says nothing'}; its log: {self._start.log}"

    def _status(self) -> str:
        """Return `Running`, `Stopped`, … or `Missing`."""
        done = self._run(
            "status", "--profile", self._profile, "--output", "json", seconds=MINIKUBE_STATUS_SECONDS, check=False
        )
        try:
            found = json.loads(done)
            return str((found[0] if isinstance(found, list) else found)["APIServer"])  # of several nodes the first
        except (ValueError, LookupError, TypeError):
            return "Missing"

    def _run(self, *arguments: str, seconds: float, check: bool = True) -> str:
        try:
            ended = process.run([_minikube(), *arguments], environment=_environment(), seconds=seconds, separate=True)
        except process.TimeLimitError:
            raise InputError(f"minikube {arguments[0]} did not end within {seconds:g} seconds") from None
        if check and ended.code:
            last = (ended.text.strip() or ended.out.strip() or str(ended.code)).splitlines()[-1]
            raise InputError(f"minikube {arguments[0]}: {last}")
        return ended.out


def _minikube() -> str:
    if (found := shutil.which("minikube")) is None:
        raise InputError("minikube is not on the PATH; https://minikube.sigs.k8s.io/docs/start/ says how to get it")
    return found


def _environment() -> dict[str, str]:
    return listed_environment(*CLUSTER, *_OWN_VARIABLES)
