"""A Kubernetes cluster on this machine, by minikube (https://minikube.sigs.k8s.io/docs/commands/)."""

import json
import shutil
from collections.abc import Mapping

from bot import process
from bot.program_environment import CLUSTER, listed_environment
from cli.errors import InputError
from cli.limits import MINIKUBE_START_SECONDS, MINIKUBE_STATUS_SECONDS
from cli.providers.kubeconfig import Kubeconfig

_OWN_VARIABLES = ("MINIKUBE_*", "DOCKER_*", "CHANGE_MINIKUBE_NONE_USER")
_PROFILE, _NAMESPACE = "minikubeProfile", "minikubeNamespace"


class Minikube(Kubeconfig):
    """`minikubeProfile` (default: minikube), which is the context's name too, and `minikubeNamespace`."""

    kind = "minikube"

    def __init__(self, settings: Mapping[str, str]) -> None:
        self._profile = settings.get(_PROFILE) or "minikube"
        namespace = settings.get(_NAMESPACE) or "dppctl"
        super().__init__({"kubeconfigContext": self._profile, "kubeconfigNamespace": namespace})

    def settings(self) -> dict[str, str]:
        """Return both by name."""
        return {_PROFILE: self._profile, _NAMESPACE: self.namespace}

    def ready(self) -> str:
        """Ask minikube first, then the API server."""
        if (found := self._status()) != "Running":
            raise InputError(
                f"minikube's cluster {self._profile} is {found.lower()}; run dppctl init minikube once more"
            )
        return super().ready().replace("kubeconfig cluster", "minikube cluster", 1)

    def start(self, *, dry_run: bool) -> str | None:
        """Start the cluster, which takes minutes the first time, then make the namespace."""
        if self._status() == "Running":
            return super().start(dry_run=dry_run)
        if not dry_run:
            self._run("start", "--profile", self._profile, seconds=MINIKUBE_START_SECONDS)
            super().start(dry_run=False)
        return f"start minikube's cluster {self._profile}, with the namespace {self.namespace}"

    def _status(self) -> str:
        """Return `Running`, `Stopped`, … or `Missing`."""
        done = self._run(
            "status", "--profile", self._profile, "--output", "json", seconds=MINIKUBE_STATUS_SECONDS, check=False
        )
        try:
            return str(json.loads(done)["APIServer"])
        except (ValueError, KeyError, TypeError):
            return "Missing"

    def _run(self, *arguments: str, seconds: float, check: bool = True) -> str:
        if shutil.which("minikube") is None:
            raise InputError("minikube is not on the PATH; https://minikube.sigs.k8s.io/docs/start/ says how to get it")
        environment = listed_environment(*CLUSTER, *_OWN_VARIABLES)
        try:
            ended = process.run(["minikube", *arguments], environment=environment, seconds=seconds, separate=True)
        except process.TimeLimitError:
            raise InputError(f"minikube {arguments[0]} did not end within {seconds:g} seconds") from None
        if check and ended.code:
            last = (ended.text.strip() or ended.out.strip() or str(ended.code)).splitlines()[-1]
            raise InputError(f"minikube {arguments[0]}: {last}")
        return ended.out
