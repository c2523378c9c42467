"""Any Kubernetes cluster that kubectl knows: a context of the kubeconfig file, and a namespace for dppctl's servers."""

from collections.abc import Mapping
from typing import Any

from cli.errors import InputError

_SECONDS = 10
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

    def api(self) -> Any:
        """A CoreV1Api of the kubernetes client. Raises InputError for a context that is not there."""
        from kubernetes import client, config

        try:
            return client.CoreV1Api(config.new_client_from_config(context=self._context()))
        except config.ConfigException as error:
            raise InputError(f"the kubeconfig file: {error}") from None

    def state(self) -> str:
        """Asks the API server for the namespace."""
        api = self.api()
        if self._has_namespace(api, self.namespace):
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
        return self._has_namespace(self.api(), name)

    def make_namespace(self, name: str) -> None:
        """Raises InputError when the cluster refuses."""
        from kubernetes.client import ApiException

        try:
            self.api().create_namespace({"metadata": {"name": name}}, _request_timeout=_SECONDS)
        except ApiException as error:
            raise InputError(f"the namespace {name} cannot be made: {_reason(error)}") from None

    def _has_namespace(self, api: Any, name: str) -> bool:
        from kubernetes.client import ApiException
        from urllib3.exceptions import HTTPError

        try:
            api.read_namespace(name, _request_timeout=_SECONDS)
        except ApiException as error:
            if error.status == 404:
                return False
            raise InputError(f"the cluster {self._context()} refuses: {_reason(error)}") from None
        except HTTPError as error:
            cause = " ".join(str(getattr(error, "reason", error)).split())[:200]
            raise InputError(f"the cluster {self._context()} does not answer: {cause}") from None
        return True

    def _context(self) -> str:
        from kubernetes import config

        if named := self._settings.get(_CONTEXT):
            return named
        try:
            return str(config.list_kube_config_contexts()[1]["name"])
        except (config.ConfigException, KeyError, TypeError) as error:
            raise InputError(f"no Kubernetes context to use: {error}; set KUBECONFIG, or name one: --context") from None


def _reason(error: Any) -> str:
    """What the API server says: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/"""
    import json

    try:
        return str(json.loads(error.body)["message"])
    except (TypeError, ValueError, KeyError):
        return f"{error.status} {error.reason}"
