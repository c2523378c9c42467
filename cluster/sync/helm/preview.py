"""What a pass would change, for people's eyes; nothing is changed."""

from cluster.sync.helm.context import SyncContext, files_for_helm, read_values_files
from cluster.sync.helm.desired import Desired, ReleaseTarget
from cluster.sync.helm.manifests import diff
from cluster.sync.helm.releases import manifest, newest


def preview(means: SyncContext, place: ReleaseTarget, wanted: Desired | None, *, prune: bool) -> str:
    """A diff from what the release holds to what is wanted. Raises DppctlError and ClusterError."""
    release = newest(means.api, place.namespace, place.release)
    before = manifest(means.api, place.namespace, place.release, release.revision) if release else ""
    if wanted is None:
        return diff(before, "") if prune else ""
    if release and (release.fingerprint, release.status) == (wanted.fingerprint, "deployed"):
        return ""
    with files_for_helm(means, place, wanted, read_values_files(means, place, wanted)) as (chart, values):
        after = means.helm.preview(place.release, place.namespace, chart, values)
    return diff(before, after)
