"""The kinds of cluster that `dppctl init` sets up: a file for each, and a line in this table."""

from collections.abc import Mapping
from importlib import import_module
from typing import Protocol

from cli.errors import InputError

PLACES = {
    "local": "cli.providers.local:Local",
    "kubeconfig": "cli.providers.kubeconfig:Kubeconfig",
    "minikube": "cli.providers.minikube:Minikube",
}
PLANNED = ("minikube-public", "gcloud", "kamatera", "public")


class Provider(Protocol):
    """One kind of cluster."""

    name: str
    is_kubernetes: bool

    def __init__(self, settings: Mapping[str, str]) -> None:
        """settings: the provider's own keys of `.dppctl.yaml`."""

    def settings(self) -> dict[str, str]:
        """The same, with what was left out filled in from this machine. Raises InputError."""

    def state(self) -> str:
        """What to say of the cluster when it can be used. Raises InputError, with what to do, when it cannot."""

    def start(self, *, dry_run: bool) -> str | None:
        """Makes what can be made and is missing; what was done, or would be. Raises InputError."""


def make_provider(name: str, settings: Mapping[str, str]) -> Provider:
    """Raises InputError for one that is not there, or not yet."""
    if name in PLANNED:
        raise InputError(f"{name} clusters are not ready yet; what is: {', '.join(PLACES)}")
    if name not in PLACES:
        raise InputError(f"there is no cluster provider {name}; choose of: {', '.join(PLACES)}")
    module, _, kind = PLACES[name].partition(":")
    provider: Provider = getattr(import_module(module), kind)(settings)
    return provider
