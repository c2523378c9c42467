"""The kinds of cluster that `dppctl init` sets up: a file for each, and a line in this table."""

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING

from bot.near_names import name_hint
from cli.errors import InputError

if TYPE_CHECKING:
    from cli.providers.provider import Provider

PROVIDERS = {
    "local": "cli.providers.local:Local",
    "kubeconfig": "cli.providers.kubeconfig:Kubeconfig",
    "minikube": "cli.providers.minikube:Minikube",
    "kamatera": "cli.providers.kamatera.provider:Kamatera",
    "minikube-public": "cli.providers.minikube_public:MinikubePublic",
    "public": "cli.providers.public:Public",
    "gcloud": "cli.providers.gcloud:GoogleCloud",
}
_NAMESPACES = {"gcloud": "gcloudClusterNamespace", "minikube-public": "minikubeNamespace"}


def make_provider(name: str, settings: Mapping[str, str]) -> "Provider":
    """Return the provider of that name (clusterProvider). Raises InputError for one that dppctl does not have.

    `settings`: the provider's own keys of `.dppctl.yaml`.
    """
    kind = provider_kind(name)
    provider: Provider = kind(settings)
    return provider


def provider_kind(name: str) -> type["Provider"]:
    """Return the class of the provider of that name. Raises InputError for one that dppctl does not have."""
    if name not in PROVIDERS:
        raise InputError(f"there is no cluster provider {name}; {name_hint(name, PROVIDERS)}")
    module, _, attribute = PROVIDERS[name].partition(":")
    kind: type[Provider] = getattr(import_module(module), attribute)
    return kind


def namespace_key(name: str) -> str:
    """Return the key of a provider's settings that has the namespace of dppctl's servers."""
    return _NAMESPACES.get(name, f"{name}Namespace")
