"""The kinds of cluster that `dppctl init` sets up: a file for each, and a line in this table."""

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING

from cli.errors import InputError

if TYPE_CHECKING:
    from cli.providers.provider import Provider

PROVIDERS = {
    "local": "cli.providers.local:Local",
    "kubeconfig": "cli.providers.kubeconfig:Kubeconfig",
    "minikube": "cli.providers.minikube:Minikube",
}
PLANNED = ("minikube-public", "gcloud", "kamatera", "public")


def make_provider(name: str, settings: Mapping[str, str]) -> "Provider":
    """Return the provider of that name (clusterProvider). Raises InputError for one that dppctl does not have (yet).

    `settings`: the provider's own keys of `.dppctl.yaml`.
    """
    if name in PLANNED:
        raise InputError(f"{name} clusters are not ready yet; what is: {', '.join(PROVIDERS)}")
    if name not in PROVIDERS:
        raise InputError(f"there is no cluster provider {name}; choose of: {', '.join(PROVIDERS)}")
    module, _, kind = PROVIDERS[name].partition(":")
    provider: Provider = getattr(import_module(module), kind)(settings)
    return provider
