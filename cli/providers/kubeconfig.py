"""Any Kubernetes cluster that kubectl knows: a context of the kubeconfig file, and a namespace for dppctl's servers."""

import re
from pathlib import Path

from bot.kubeconfig import current_context
from bot.kubernetes import KubernetesClient, NoClusterError
from cli.errors import InputError
from cli.init.chart_values import VALUES_FILE, Installation, chart_values
from cli.init.secret_stores import KubernetesSecret, SecretStore
from cli.init.steps.files import FileStep, read_text
from cli.init.steps.namespace import NamespaceStep, create_namespace, has_namespace
from cli.init.steps.new_secrets import NewSecretsStep
from cli.init.steps.step import Step
from cli.providers.provider import ClusterState, Provider

_CONTEXT, _NAMESPACE = "kubeconfigContext", "kubeconfigNamespace"
_SHARED_SECRETS = ("DPPCTL_SYNC_TOKEN", "DPPCTL_DATABASE_PASSWORD")


_NAMESPACES = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")  # a DNS label


class Kubeconfig(Provider):
    """`kubeconfigContext` (default: the current one) and `kubeconfigNamespace` (default: dppctl)."""

    kind = "kubeconfig"

    @property
    def namespace(self) -> str:
        """Return the namespace of dppctl's servers. Raises InputError for a name that none can have."""
        name = self._settings.get(_NAMESPACE) or "dppctl"
        if not _NAMESPACES.fullmatch(name):
            raise InputError(f"--namespace {name[:100]!r}: expected small letters, digits and -, at most 63 characters")
        return name

    def settings(self) -> dict[str, str]:
        """Return the context by its name, so that another current one changes nothing, and the namespace."""
        return {_CONTEXT: self._context(), _NAMESPACE: self.namespace}

    def start(self, *, dry_run: bool) -> str | None:
        """Make the namespace of dppctl's servers."""
        client, context = self._client(), self._context()
        if has_namespace(client, self.namespace, context):
            return None
        if not dry_run:
            create_namespace(client, self.namespace)
        return f"create the namespace {self.namespace} in the cluster {context}"

    def ready(self) -> str:
        """Ask the API server for the namespace."""
        context = self._context()
        if has_namespace(self._client(), self.namespace, context):
            return f"kubeconfig cluster is ready: context {context}, namespace {self.namespace}"
        raise InputError(f"the cluster {context} has no namespace {self.namespace}; run dppctl init once more")

    def state(self) -> ClusterState:
        """Return that it is there, as somebody else sees to it; `start` makes the namespace."""
        return ClusterState("ready", f"context {self._context()}")

    def connect(self) -> tuple[KubernetesClient, str]:
        """Return the client, and the context that it is for."""
        return self._client(), self._context()

    def secret_store(self, config: Path) -> SecretStore:  # noqa: ARG002 (they are in the cluster)
        """Return the Secret that dppctl's chart mounts."""
        return KubernetesSecret(self._client(), self.namespace)

    def steps(self, installation: Installation, config: Path, secrets: SecretStore) -> list[Step]:
        """Return a step for each environment's namespace, for the servers' secrets, and for the values of the chart."""
        client, context, file = self._client(), self._context(), config / VALUES_FILE
        values = chart_values(read_text(file), str(file), installation)
        return [
            *(NamespaceStep(client, name, context) for name in installation.namespaces.values()),
            NewSecretsStep(secrets, _SHARED_SECRETS, "the secrets that dppctl's servers share"),
            FileStep(file, values, "the values of dppctl's chart"),
        ]

    def next_step(self, config: Path) -> str:
        """Name helm's command that installs dppctl's chart."""
        values = f"--values {config / VALUES_FILE}"
        return f"install dppctl's servers (helm upgrade --install dppctl charts/dppctl -n {self.namespace} {values})"

    def _client(self) -> KubernetesClient:
        """Return a client of the cluster. Raises InputError for a context that the file does not have."""
        context = self._context()
        try:
            return KubernetesClient(context=context)
        except NoClusterError as error:
            raise InputError(f"the kubeconfig file: {error.reason}") from None

    def _context(self) -> str:
        """Return the context that is asked for, else the current one. Raises InputError when there is none."""
        if named := self._settings.get(_CONTEXT):
            return named
        try:
            return current_context()
        except NoClusterError as error:
            raise InputError(
                f"no Kubernetes context to use: {error.reason}; set KUBECONFIG, or name one: --context"
            ) from None
