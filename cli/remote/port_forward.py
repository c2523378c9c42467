"""The proxy of a cluster without a public address: its Service, through the API server, with the person's kubeconfig.

No Ingress, DNS name or certificate is needed for that, but the right to `pods/portforward`.
"""

from collections.abc import Callable
from typing import Any

import requests
import urllib3

from bot.kubernetes import ApiError, KubernetesClient, KubernetesError, NoClusterError, NotThereError, Object
from cli.errors import InputError
from cli.remote.clusters import NamedCluster
from cli.remote.errors import ProxyAwayError


class ServiceAddress:
    """A Service, each connection of which leads to a pod that is ready."""

    def __init__(self, cluster: NamedCluster, note: Callable[[str], None]) -> None:
        """Connect at the first `open`; `note` gets a line that says so."""
        self._cluster, self._note = cluster, note
        self._client: KubernetesClient | None = None
        self._pod: tuple[str, int] | None = None

    def open(self) -> Any:
        """Return a socket to the proxy. Raises InputError for a right or a cluster that is missing, ProxyAwayError."""
        namespace = self._cluster.namespace
        try:
            if self._client is None:
                self._note(f"Reaching the cluster through its API server: {self._cluster}")
                self._client = KubernetesClient(context=self._cluster.context or None)
            self._pod = self._pod or self._find(self._client)
            return self._client.forward(namespace, *self._pod)
        except NoClusterError as error:
            raise InputError(f"the kubeconfig file: {error.reason}") from None
        except NotThereError as error:
            self._pod = None
            raise ProxyAwayError(f"the cluster {self._cluster.name}: {error.reason}") from None
        except ApiError as error:
            raise InputError(self._refused(error)) from None
        except KubernetesError as error:
            self._pod = None
            raise ProxyAwayError(f"the cluster {self._cluster.name}: {error}") from None

    def _find(self, client: KubernetesClient) -> tuple[str, int]:
        """Return a ready pod of the Service, and the port of the proxy in it."""
        namespace, service = self._cluster.namespace, self._cluster.service
        found = client.get(f"/api/v1/namespaces/{namespace}/services/{service}")
        if found is None:
            hint = "does dppctl's chart run there with runs.enabled?"
            raise InputError(f"there is no Service {service} in namespace {namespace}; {hint}")
        selector = ",".join(f"{name}={value}" for name, value in found["spec"]["selector"].items())
        pods = client.list(f"/api/v1/namespaces/{namespace}/pods", selector)
        ready = [pod for pod in pods if _is_ready(pod)]
        if not ready:
            raise ProxyAwayError(
                f"the Service {service} in namespace {namespace} has no pod that is ready; is the cluster starting?"
            )
        return ready[0]["metadata"]["name"], _port(found["spec"]["ports"][0], ready[0])

    def _refused(self, error: ApiError) -> str:
        """Return which right is missing, as an administrator grants it."""
        namespace = self._cluster.namespace
        if error.status not in (401, 403):
            return str(error)
        right = "pods/portforward" if self._pod else "services and pods (get, list)"
        how = f"or have a URL for it: `dppctl login {self._cluster.name} --url URL`"
        return (
            f"the right to {right} in namespace {namespace} is missing; ask who administers the cluster for it, {how}"
        )


class ServiceAdapter(requests.adapters.HTTPAdapter):
    """Has requests take each connection from a ServiceAddress, whatever the host of the URL."""

    def __init__(self, service: ServiceAddress) -> None:
        """Take it."""
        self._service = service
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Make pools of such connections."""
        super().init_poolmanager(*arguments, **options)
        service = self._service

        class ForwardedConnection(urllib3.connection.HTTPConnection):
            def _new_conn(self) -> Any:
                return service.open()

        class ForwardedPool(urllib3.HTTPConnectionPool):
            ConnectionCls = ForwardedConnection

        self.poolmanager.pool_classes_by_scheme = {"http": ForwardedPool}


def _is_ready(pod: Object) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    return "deletionTimestamp" not in pod["metadata"] and any(
        each["type"] == "Ready" and each["status"] == "True" for each in conditions
    )


def _port(port: Object, pod: Object) -> int:
    """Return the number of a Service's port in a pod, which may have a name there."""
    target = port.get("targetPort") or port["port"]
    if isinstance(target, int):
        return target
    named = [each for container in pod["spec"]["containers"] for each in container.get("ports") or []]
    return int(next((each["containerPort"] for each in named if each.get("name") == target), port["port"]))
