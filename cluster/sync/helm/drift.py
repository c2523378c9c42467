"""Drift: what somebody changed in the cluster past helm, found by server-side apply that changes nothing.

The API server itself says what would become of each object if it were applied again, with all defaults and all other
owners' fields in it; so what is compared needs no list of exceptions.
https://kubernetes.io/docs/reference/using-api/server-side-apply/
"""

from bot.kubernetes import ApiError, KubernetesClient
from cluster.sync.helm.desired import ReleaseTarget
from cluster.sync.helm.manifests import as_helm_applies, drift, objects


def find_drift(api: KubernetesClient, location: ReleaseTarget, manifest: str) -> list[str]:
    """Return a line for each object of a release that is not as its manifest says. Raises ApiError and ApiAwayError."""
    found = []
    for (kind, _, name), thing in objects(manifest).items():
        if kind == "Job":
            continue  # its template cannot be changed, and one that is gone has run
        live = api.get(path := api.path(thing, location.namespace))
        try:
            applied = as_helm_applies(thing, location.release, location.namespace)
            changes = drift(live, api.apply(path, applied, "helm", dry_run=True) if live else None)
        except ApiError as error:
            if error.status not in (409, 422):  # what cannot be applied over what is there
                raise
            changes = [str(error)]
        if changes:
            found.append(f"{kind} {name}: {', '.join(changes)}")
    return found
