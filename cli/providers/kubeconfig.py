"""Any Kubernetes cluster that kubectl knows: a context of the kubeconfig file, and a namespace for dppctl's servers."""

from collections.abc import Mapping

from bot.kubernetes import ApiAwayError, KubernetesClient, KubernetesError, NoClusterError, current_context
from cli.errors import InputError

_CONTEXT, _NAMESPACE = "kubeconfigContext", "kubeconfigNamespace"


class Kubeconfig:
    """`kubeconfigContext` (default: the current one) and `kubeconfigNamespace` (default: dppctl)."""

    name = "kubeconfig"
    is_kubernetes = True

    def __init__(self, settings: Mapping[str, str]) -> None:
        self._settings = dict(settings)

    @property
    def namespace(self) -> str:
        """Where dppctl's servers are."""
        return self._settings.get(_NAMESPACE) or "dppctl"

    def settings(self) -> dict[str, str]:
        """The context by its name: another current one changes nothing then."""
        return {_CONTEXT: self._context(), _NAMESPACE: self.namespace}

    def client(self) -> KubernetesClient:
        """Return a client of the cluster. Raises InputError for a context that the file does not have."""
        context = self._context()
        try:
            return KubernetesClient(context=context)
        except NoClusterError as error:
            raise InputError(f"the kubeconfig file: {error.reason}") from None

    def state(self) -> str:
        """Asks the API server for the namespace."""
        if self.has_namespace(self.namespace):
            return f"kubeconfig cluster is ready: context {self._context()}, namespace {self.namespace}"
        raise InputError(f"the cluster {self._context()} has no namespace {self.namespace}; run dppctl init once more")

    def start(self, *, dry_run: bool) -> str | None:
        """Makes the namespace."""
        if self.has_namespace(self.namespace):
            return None
        if not dry_run:
            self.make_namespace(self.namespace)
        return f"create the namespace {self.namespace} in the cluster {self._context()}"

    def has_namespace(self, name: str) -> bool:
        """Raises InputError when the cluster does not tell."""
        client = self.client()
        try:
            return client.get(f"/api/v1/namespaces/{name}") is not None
        except ApiAwayError as error:
            raise InputError(f"the cluster {self._context()} does not answer: {error.reason[:200]}") from None
        except KubernetesError as error:
            raise InputError(f"the cluster {self._context()} refuses: {error.reason}") from None

    def make_namespace(self, name: str) -> None:
        """Raises InputError when the cluster refuses."""
        client = self.client()
        try:
            client.create("/api/v1/namespaces", {"metadata": {"name": name}})
        except KubernetesError as error:
            raise InputError(f"the namespace {name} cannot be made: {error.reason}") from None

    def _context(self) -> str:
        if named := self._settings.get(_CONTEXT):
            return named
        try:
            return current_context()
        except NoClusterError as error:
            raise InputError(
                f"no Kubernetes context to use: {error.reason}; set KUBECONFIG, or name one: --context"
            ) from None
