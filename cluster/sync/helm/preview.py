"""What a pass would change, for people's eyes; nothing is changed."""

from cluster.sync.helm.context import SyncContext, files_for_helm, read_values_files
from cluster.sync.helm.desired import Desired, ReleaseTarget
from cluster.sync.helm.manifests import diff
from cluster.sync.helm.releases import manifest, newest


def preview(context: SyncContext, location: ReleaseTarget, desired: Desired | None, *, prune: bool) -> str:
    """Return a diff from what the release holds to what is desired. Raises DppctlError and ClusterError."""
    release = newest(context.api, location.namespace, location.release)
    before = manifest(context.api, location.namespace, location.release, release.revision) if release else ""
    if desired is None:
        return diff(before, "") if prune else ""
    if release and (release.fingerprint, release.status) == (desired.fingerprint, "deployed"):
        return ""
    with files_for_helm(context, location, desired, read_values_files(context, location, desired)) as (chart, values):
        after = context.helm.preview(location.release, location.namespace, chart, values)
    return diff(before, after)
