"""The Jobs of a release. Helm keeps them, so that going back to an older release does not run its pipelines again."""

from datetime import datetime

from bot.kubernetes import KubernetesClient, Object
from cluster.sync.helm import pod_status
from cluster.sync.helm.desired import ReleaseTarget
from cluster.sync.helm.job_run import TTL
from cluster.sync.helm.manifests import JOB_COMPONENT


def newest_job(api: KubernetesClient, location: ReleaseTarget, since: datetime) -> str | None:
    """Return the name of the newest Job, if it was made since then."""
    found = pod_status.newest(_jobs(api, location))
    if found is None or _made(found) < since.replace(microsecond=0):
        return None
    return str(found["metadata"]["name"])


def remove_old_jobs(api: KubernetesClient, location: ReleaseTarget, current: str) -> None:
    """Remove all Jobs but the current one, and the one that succeeded before it, for going back.

    One that makes its database current is removed too: it has to do that again.
    """
    others = [job for job in _jobs(api, location) if job["metadata"]["name"] != current]
    before = pod_status.newest([job for job in others if (end := pod_status.end_of(job)) and end[0]])
    for job in others:
        if job is not before or _switches(job):
            api.delete(_path(location, job["metadata"]["name"]))


def unfinished(api: KubernetesClient, location: ReleaseTarget, since: datetime | None = None) -> list[str]:
    """Return the names of the Jobs that have not ended, of those that were made since then."""
    return [
        str(job["metadata"]["name"])
        for job in _jobs(api, location)
        if pod_status.end_of(job) is None and (since is None or _made(job) >= since.replace(microsecond=0))
    ]


def remove_job(api: KubernetesClient, location: ReleaseTarget, name: str) -> None:
    """Remove a Job and its pods: so it is stopped."""
    api.delete(_path(location, name))


def let_expire(api: KubernetesClient, location: ReleaseTarget, name: str, seconds: int | None) -> None:
    """Have Kubernetes remove a Job some time after its end, where its TTL was put off until that was seen.

    `seconds`: what the values say, for a Job of a chart that does not write that down in it.
    """
    job = api.get(_path(location, name)) or {}
    default = "" if seconds is None else str(seconds)
    text = str(((job.get("metadata") or {}).get("annotations") or {}).get(TTL, default))
    if text.isdecimal():
        api.patch(_path(location, name), {"spec": {"ttlSecondsAfterFinished": int(text)}})


def remove_jobs(api: KubernetesClient, location: ReleaseTarget) -> None:
    """Remove all Jobs of the release."""
    for job in _jobs(api, location):
        api.delete(_path(location, job["metadata"]["name"]))


def _jobs(api: KubernetesClient, location: ReleaseTarget) -> list[Object]:
    selector = f"app.kubernetes.io/instance={location.release},app.kubernetes.io/component={JOB_COMPONENT}"
    # A CronJob's are its own business.
    return [job for job in api.list(_path(location), selector) if not job["metadata"].get("ownerReferences")]


def _switches(job: Object) -> bool:
    pod = job["spec"]["template"]["spec"]
    containers = [*(pod.get("initContainers") or []), *pod["containers"]]
    return any(container["name"] == pod_status.BEGIN for container in containers)


def _made(thing: Object) -> datetime:
    return datetime.fromisoformat(thing["metadata"]["creationTimestamp"])


def _path(location: ReleaseTarget, name: str = "") -> str:
    return f"/apis/batch/v1/namespaces/{location.namespace}/jobs" + (f"/{name}" if name else "")
