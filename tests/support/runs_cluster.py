"""A namespace of a real API server on which `dppctl init` installs runs, with a thread as the kubelet."""

import base64
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from click.testing import CliRunner

from bot.errors import DppctlError
from bot.kubernetes import KubernetesClient, Object
from cli.init.command import init

IMAGES = ("--image", "example.org/dppctl:1", "--worker-image", "example.org/runtime:1")
READY = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}


class RunsCluster:
    """A namespace, and what a person types and reads about it."""

    def __init__(self) -> None:
        self.api = KubernetesClient()
        self.namespace = f"init-{secrets.token_hex(4)}"
        self.path = f"/api/v1/namespaces/{self.namespace}"
        self.deployments = f"/apis/apps/v1/namespaces/{self.namespace}/deployments"

    def init(self, *more: str, workers: int = 2) -> str:
        arguments = ["kubeconfig", f"--workers={workers}", f"--namespace={self.namespace}", "--cluster-name=lab", *more]
        done = CliRunner().invoke(init, [*arguments, "--yes", "--token-user=ann"])
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.output

    def secret(self, name: str) -> dict[str, str]:
        found = self.api.get(f"{self.path}/secrets/{name}") or {}
        return {key: base64.b64decode(value).decode() for key, value in (found.get("data") or {}).items()}

    def auth_server(self) -> dict[str, str]:
        """What its container is told; nothing where there is none."""
        found = self.api.get(f"{self.deployments}/dppctl-runs-auth")
        (container,) = found["spec"]["template"]["spec"]["containers"] if found else [{"env": []}]
        return {each["name"]: each.get("value", "") for each in container["env"]}

    @contextmanager
    def kubelet(self, status: Callable[[Object], Object]) -> Iterator[None]:
        """Say this of each pod, as its node would."""
        ended = threading.Event()

        def work() -> None:
            while not ended.wait(0.1):
                with suppress(DppctlError):
                    for pod in self.api.list(f"{self.path}/pods"):
                        self.api.patch(f"{self.path}/pods/{pod['metadata']['name']}/status", {"status": status(pod)})

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
