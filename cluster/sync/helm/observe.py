"""Reads what the ops repos say, what helm has and what sync wrote down, into one plain value."""

import time
from collections.abc import Iterator, Mapping, Sequence

from bot.errors import DppctlError
from bot.kubernetes import ApiAwayError, ApiError, KubernetesClient
from bot.logs import get_logger
from bot.model.registration import Target
from cluster.scheduler import Scheduler
from cluster.sync.desired_reader import DesiredReader
from cluster.sync.helm.deployment import DeploymentRun
from cluster.sync.helm.desired import Desired, Entry, ReleaseTarget, desired_at, paths
from cluster.sync.helm.records import Kept, records
from cluster.sync.helm.releases import releases
from cluster.sync.helm.state import ClusterState, DriftCheck, HelmRelease, ReleaseState, UnknownRecord
from cluster.sync.repositories import Reader, Repositories

_log = get_logger("dppctl.sync")


def reader_of(locations: Mapping[Target, ReleaseTarget], repositories: Repositories) -> DesiredReader[Desired]:
    """Return what reads from the ops repos what is to be deployed."""

    def read(ops: Reader, head: str, targets: Sequence[Target]) -> dict[Target, Desired | DppctlError | None]:
        entries = ops.entries(head, sorted({path for target in targets for path in paths(target)}))
        return {target: _desired(locations[target], head, entries) for target in targets}

    return DesiredReader(locations, repositories, read)


def _desired(location: ReleaseTarget, head: str, entries: Mapping[str, Entry]) -> Desired | DppctlError | None:
    try:
        return desired_at(location, head, entries)
    except DppctlError as error:
        return error


def observe(
    api: KubernetesClient,
    locations: Sequence[ReleaseTarget],
    desired: Mapping[Target, Desired | None],
    scheduler: Scheduler[Target, DeploymentRun],
    checks: Mapping[Target, DriftCheck],
    problems: Mapping[Target, str],
    started: float,
) -> ClusterState:
    """Return the environments as they are now. A namespace that cannot be read is logged, and holds up no other.

    `checks`: the last looks for drift; `problems`: why jobs failed, as that was logged; `started`: when sync did, by
    the monotonic clock.
    """
    environments: list[ReleaseState] = []
    unknown: list[UnknownRecord] = []
    unread = 0
    for namespace in sorted({location.namespace for location in locations}):
        try:
            found, kept = _read_namespace(api, namespace)
        except ApiAwayError as error:
            unread += 1
            _log.error("namespace not read", namespace=namespace, error=error)
            continue
        here = [location for location in locations if location.namespace == namespace]
        for location in here:
            job, target = scheduler.running(location.target), location.target
            entry = kept.get(location.release)
            environments.append(
                ReleaseState(
                    location,
                    is_known=target in desired,
                    desired=desired.get(target),
                    record=entry.record if entry else None,
                    release=found.get(location.release),
                    running=job.decision if job else None,
                    waits=scheduler.waits(target),
                    check=checks.get(target),
                    problem=problems.get(target, ""),
                )
            )
        unknown += _unknown(namespace, kept, {location.release for location in here})
    now = time.monotonic()
    return ClusterState(tuple(environments), tuple(unknown), unread, now - started, now)


def _read_namespace(api: KubernetesClient, namespace: str) -> tuple[Mapping[str, HelmRelease], Mapping[str, Kept]]:
    try:
        return releases(api, namespace), records(api, namespace)
    except ApiError:
        return {}, {}  # a deployment into it, which reads the same first, will say so to all


def _unknown(namespace: str, kept: Mapping[str, Kept], known: set[str]) -> Iterator[UnknownRecord]:
    for release, entry in kept.items():
        if release not in known:
            yield UnknownRecord(namespace, release, entry.app, entry.environment)
