"""The Jobs of a release. Helm keeps them, so that going back to an older release does not run its pipelines again."""

from datetime import datetime

from bot.kubernetes import KubernetesClient, Object
from cluster.sync.helm import pod_status
from cluster.sync.helm.desired import ReleaseTarget
from cluster.sync.helm.manifests import JOB_COMPONENT


def newest_job(api: KubernetesClient, place: ReleaseTarget, since: datetime) -> str | None:
    """The name of the newest one, if it was made since then."""
    found = pod_status.newest(_jobs(api, place))
    if found is None or _made(found) < since.replace(microsecond=0):
        return None
    return str(found["metadata"]["name"])


def remove_old_jobs(api: KubernetesClient, place: ReleaseTarget, current: str) -> None:
    """All but the current one, and the one that succeeded before it: what one would go back to."""
    others = [one for one in _jobs(api, place) if one["metadata"]["name"] != current]
    before = pod_status.newest([one for one in others if (end := pod_status.end_of(one)) and end[0]])
    for one in others:
        if one is not before:
            api.delete(_path(place, one["metadata"]["name"]))


def remove_jobs(api: KubernetesClient, place: ReleaseTarget) -> None:
    """All of them."""
    for one in _jobs(api, place):
        api.delete(_path(place, one["metadata"]["name"]))


def _jobs(api: KubernetesClient, place: ReleaseTarget) -> list[Object]:
    selector = f"app.kubernetes.io/instance={place.release},app.kubernetes.io/component={JOB_COMPONENT}"
    # A CronJob's are its own business.
    return [one for one in api.list(_path(place), selector) if not one["metadata"].get("ownerReferences")]


def _made(thing: Object) -> datetime:
    return datetime.fromisoformat(thing["metadata"]["creationTimestamp"])


def _path(place: ReleaseTarget, name: str = "") -> str:
    return f"/apis/batch/v1/namespaces/{place.namespace}/jobs" + (f"/{name}" if name else "")
