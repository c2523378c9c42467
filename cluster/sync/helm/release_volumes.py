"""What a release leaves when it goes, so that no data is lost by mistake: volumes and passwords. A preview's go."""

from bot.kubernetes import KubernetesClient
from cluster.sync.helm.desired import ReleaseTarget

_KINDS = ("persistentvolumeclaims", "secrets")
_HELM = "helm"  # the owner of the Secrets in which helm has the release itself


def remove_volumes(api: KubernetesClient, location: ReleaseTarget) -> str:
    """Delete the volumes and Secrets of a preview, by their labels; those of another environment stay.

    Return which of the two, in words. Raises ApiError and ApiAwayError.
    """
    if not location.target.is_preview:
        return "stay"
    selector = f"app.kubernetes.io/instance={location.release}"
    for kind in _KINDS:
        path = f"/api/v1/namespaces/{location.namespace}/{kind}"
        for found in api.list(path, selector, metadata=True):
            if (found["metadata"].get("labels") or {}).get("owner") != _HELM:
                api.delete(f"{path}/{found['metadata']['name']}")
    return "went with it"
