"""What a kubeconfig file says beside how its cluster is reached: the context, and the namespace that we belong to."""

import os
from pathlib import Path
from typing import Any

from bot.kubernetes import NoClusterError

# https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/
_NAMESPACE_OF_POD = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


def current_context() -> str:
    """Return the name of the kubeconfig file's current context. Raises NoClusterError when it has none."""
    return str(_current()["name"])


def own_namespace() -> str:
    """Return our namespace in the cluster that KubernetesClient finds: the pod's, or the current context's.

    `default` where the context has none. Raises NoClusterError when the kubeconfig file cannot be used.
    """
    if not os.environ.get("KUBECONFIG") and _NAMESPACE_OF_POD.exists():
        return _NAMESPACE_OF_POD.read_text().strip()
    return str(_current()["context"].get("namespace") or "default")


def _current() -> dict[str, Any]:
    import kubernetes
    import yaml

    try:
        found: dict[str, Any] = kubernetes.config.list_kube_config_contexts(os.environ.get("KUBECONFIG") or None)[1]
        return found
    except (kubernetes.config.ConfigException, yaml.YAMLError, OSError, LookupError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())[:300]
        raise NoClusterError(f"no cluster is configured: no current context: {reason}", reason) from None
