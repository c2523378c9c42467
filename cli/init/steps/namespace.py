"""A namespace of the cluster: one for dppctl's servers, one for each environment."""

from dataclasses import dataclass

from bot.kubernetes import ApiAwayError, KubernetesClient, KubernetesError
from cli.errors import InputError
from cli.init.steps.step import Change

_PATH = "/api/v1/namespaces"


def has_namespace(client: KubernetesClient, name: str, cluster: str) -> bool:
    """Return whether the namespace exists. Raises InputError when the cluster, called so in messages, refuses.

    One that is being deleted takes nothing new, and can be made anew when it is gone.
    """
    try:
        found = client.get(f"{_PATH}/{name}")
    except ApiAwayError as error:
        raise InputError(f"the cluster {cluster} does not answer: {error.reason[:200]}") from None
    except KubernetesError as error:
        raise InputError(f"the cluster {cluster} refuses: {error.reason}") from None
    if found and (found.get("status") or {}).get("phase") == "Terminating":
        raise InputError(
            f"the namespace {name} in the cluster {cluster} is being deleted; wait until it is gone, or give another "
            f"--namespace (kubectl get namespace {name} --output yaml says what it waits for)"
        )
    return found is not None


def create_namespace(client: KubernetesClient, name: str) -> None:
    """Create the namespace. Raises InputError when the cluster refuses."""
    try:
        client.create(_PATH, {"metadata": {"name": name}})
    except KubernetesError as error:
        raise InputError(f"the namespace {name} cannot be made: {error.reason}") from None


@dataclass(frozen=True)
class NamespaceStep:
    """The cluster has such a namespace."""

    client: KubernetesClient
    name: str
    cluster: str  # how messages call it

    def observe(self) -> Change | str:
        """Ask for the namespace. What is in it is not touched."""
        if has_namespace(self.client, self.name, self.cluster):
            return f"the namespace {self.name} is there"
        return Change(f"create the namespace {self.name}", lambda: create_namespace(self.client, self.name))
