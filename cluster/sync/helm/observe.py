"""Reads what the ops repos say, what helm has and what sync wrote down, into one plain value."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bot.errors import DppctlError
from bot.kubernetes import ApiAwayError, ApiError, KubernetesClient
from bot.logs import get_logger
from bot.model.registration import Target
from cluster.scheduler import Scheduler
from cluster.sync.helm.deployment import DeploymentRun
from cluster.sync.helm.desired import Desired, ReleaseTarget, desired_at, paths
from cluster.sync.helm.records import Kept, records
from cluster.sync.helm.releases import releases
from cluster.sync.helm.state import ClusterState, DriftCheck, HelmRelease, ReleaseState, UnknownRecord
from cluster.sync.repositories import Repositories

_log = get_logger("dppctl.sync")


@dataclass(frozen=True)
class DesiredReleases:
    """What the ops repos say of the environments, and what could not be read."""

    by_target: Mapping[Target, Desired | None]  # without those that are not known
    problems: Mapping[Target, str]  # why an environment is not known, though its ops repo could be read
    unread: int  # ops repos that could not be read; what they said last holds


class DesiredReleasesReader:
    """Reads what the ops repos say; where nothing was committed, what was read last holds."""

    def __init__(self, locations: Sequence[ReleaseTarget], repositories: Repositories) -> None:
        self._locations = locations
        self._repositories = repositories
        self._heads: dict[str, str] = {}  # of the ops repos, as they were read last
        self._desired: dict[Target, Desired | None] = {}
        self._problems: dict[Target, str] = {}

    def read(self) -> DesiredReleases:
        """Return what they say. An ops repo that cannot be read is logged, and holds up no other."""
        unread = 0
        for name in sorted({location.target.ops.repository for location in self._locations}):
            try:
                self._read(name)
            except DppctlError as error:
                unread += 1
                _log.error("ops repo not read", ops=name, error=error)
        return DesiredReleases(dict(self._desired), dict(self._problems), unread)

    def _read(self, name: str) -> None:
        locations = [found for found in self._locations if found.target.ops.repository == name]
        with self._repositories.use(name) as ops:
            ops.refresh()
            head = ops.head()
            if head is None or head == self._heads.get(name):
                return
            with ops.open() as reader:
                entries = reader.entries(head, sorted({path for found in locations for path in paths(found.target)}))
        for location in locations:
            self._desired.pop(location.target, None)
            self._problems.pop(location.target, None)
            try:
                self._desired[location.target] = desired_at(location, head, entries)
            except DppctlError as error:
                self._problems[location.target] = str(error)
        self._heads[name] = head


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
