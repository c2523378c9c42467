"""Drift: what somebody changed in the cluster past helm, found by server-side apply that changes nothing.

The API server itself says what would become of each object if it were applied again, with all defaults and all other
owners' fields in it; so what is compared needs no list of exceptions.
What is repaired is what the release's own manifest says: to render the chart anew might make other passwords.
https://kubernetes.io/docs/reference/using-api/server-side-apply/
"""

from collections.abc import Iterable
from dataclasses import dataclass

from bot.kubernetes import ApiError, KubernetesClient, Object
from cluster.sync.helm.desired import ReleaseTarget
from cluster.sync.helm.manifests import as_helm_applies, drift, kept_secrets, objects


@dataclass(frozen=True)
class Changed:
    """An object that is not as its manifest says."""

    line: str  # what it is, and which of its fields
    path: str
    manifest: Object  # as helm applies it


def find_drift(api: KubernetesClient, location: ReleaseTarget, manifest: str) -> tuple[list[Changed], list[str]]:
    """Return the objects of a release that somebody changed, and a line for each that cannot be compared.

    Raises ApiAwayError.
    """
    found, uncompared = [], []
    for (kind, _, name), thing in objects(manifest).items():
        if kind == "Job":
            continue  # its template cannot be changed, and one that is gone has run
        applied = as_helm_applies(thing, location.release, location.namespace)
        live = None
        try:
            live = api.get(path := api.path(thing, location.namespace))
            changes = drift(live, api.apply(path, applied, "helm", dry_run=True) if live else None)
        except ApiError as error:
            if live is None or error.status not in (
                409,
                422,
            ):  # else: not over what it was made
                uncompared.append(f"{kind} {name}: {error}")
                continue
            changes = [str(error)]
        if changes:
            found.append(Changed(f"{kind} {name}: {', '.join(changes)}", path, applied))
    return found, uncompared


def repair(api: KubernetesClient, changed: Iterable[Changed]) -> list[str]:
    """Apply the objects as their manifest says; return a line for each that cannot be. Raises ApiAwayError."""
    failed = []
    for each in changed:
        try:
            api.apply(each.path, each.manifest, "helm")
        except ApiError as error:
            failed.append(f"{each.line}: {error}")
    return failed


def restore_secrets(api: KubernetesClient, location: ReleaseTarget, manifest: str) -> list[str]:
    """Make the Secrets that are to be kept and are gone as the manifest has them, and return their names.

    A chart that does not find its Secret makes another password, which is not the one in the database.
    """
    restored = []
    for secret in kept_secrets(manifest):
        path = api.path(secret, location.namespace)
        if api.get(path) is None:
            api.apply(path, as_helm_applies(secret, location.release, location.namespace), "helm")
            restored.append(str(secret["metadata"]["name"]))
    return restored
