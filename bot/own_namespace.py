"""The namespace that a process belongs to: a pod's own, or that of the kubeconfig file's current context."""

import os
from pathlib import Path

from bot.kubernetes import NoClusterError

# https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/
_OF_POD = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


def own_namespace() -> str:
    """Return the namespace in the cluster that KubernetesClient finds; `default` where none is set.

    Raises NoClusterError when the kubeconfig file cannot be used.
    """
    import kubernetes

    file = os.environ.get("KUBECONFIG") or None
    if not file and _OF_POD.exists():
        return _OF_POD.read_text().strip()
    try:
        context = kubernetes.config.list_kube_config_contexts(file)[1]
        return str(context["context"].get("namespace") or "default")
    except (kubernetes.config.ConfigException, KeyError, TypeError) as error:
        raise NoClusterError(f"no cluster is configured: {error}", str(error)) from None
