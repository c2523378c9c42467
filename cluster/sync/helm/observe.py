"""Reads what the ops repos say, what helm has and what sync wrote down, into one plain value."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

from bot.errors import DppctlError
from bot.kubernetes import ApiError, KubernetesClient, KubernetesError
from bot.logs import get_logger
from bot.model.names import is_environment
from bot.model.previews import is_preview
from bot.model.registration import Target
from bot.scheduler import Scheduler
from cluster.sync.desired_reader import DesiredReader
from cluster.sync.helm.deployment import DeploymentRun
from cluster.sync.helm.desired import Desired, Entry, ReleaseTarget, desired_at, paths, release_name
from cluster.sync.helm.records import OwnedRecord, records
from cluster.sync.helm.releases import releases
from cluster.sync.helm.state import DriftCheck, HelmRelease, ReleaseState, SyncState, UnknownRecord
from cluster.sync.repositories import Reader, Repositories

_log = get_logger("dppctl.sync")


def reader_of(
    targets: Iterable[Target], location: Callable[[Target], ReleaseTarget], repositories: Repositories
) -> DesiredReader[Desired]:
    """Return what reads from the ops repos what is to be deployed."""

    def read(ops: Reader, head: str, targets: Sequence[Target]) -> dict[Target, Desired | DppctlError | None]:
        entries = ops.entries(head, sorted({path for target in targets for path in paths(target)}))
        return {target: _desired(location(target), head, entries) for target in targets}

    return DesiredReader(targets, repositories, read)


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
    refused: Mapping[Target, str],
    started: float,
    patterns: Mapping[Target, str] = MappingProxyType({}),
) -> SyncState:
    """Return the environments as they are now. A namespace that cannot be read holds up no other.

    `checks`: the last looks for drift; `problems`: why jobs failed, as that was logged; `refused`: for which
    fingerprint it was reported that the namespace is not to be read; `started`: when sync did, by the monotonic clock;
    `patterns`: `preview-*` of ops repos that were read, with their namespaces: other previews there are to go.
    """
    environments: list[ReleaseState] = []
    unknown: list[UnknownRecord] = []
    unread: dict[str, KubernetesError] = {}
    unreadable: list[str] = []
    for namespace in sorted({*(location.namespace for location in locations), *patterns.values()}):
        found: Mapping[str, HelmRelease] = {}
        kept: Mapping[str, OwnedRecord] = {}
        refusal = ""
        try:
            (found, odd), kept = releases(api, namespace), records(api, namespace)
            unreadable += [f"{namespace}/{name}" for name in odd]
        except KubernetesError as error:
            unread[namespace] = error
            if isinstance(error, ApiError):
                advice = "is it there, with sync's Role (docs/sync.md)?"
                refusal = f"waiting: namespace {namespace} cannot be read; {advice} {error}"
        here = [location for location in locations if location.namespace == namespace]
        gone = _gone(namespace, kept, {location.release for location in here}, patterns)
        here += gone
        for location in here:
            job, target = scheduler.running(location.target), location.target
            entry, wanted = kept.get(location.release), desired.get(target)
            environments.append(
                ReleaseState(
                    location,
                    is_known=target in desired or location in gone,
                    desired=wanted,
                    record=entry.record if entry else None,
                    release=found.get(location.release),
                    running=job.decision if job else None,
                    waits=scheduler.waits(target),
                    check=checks.get(target),
                    problem=problems.get(target, ""),
                    is_read=namespace not in unread,
                    refusal=refusal if wanted and refused.get(target) != wanted.fingerprint else "",
                )
            )
        unknown += _unknown(namespace, kept, {location.release for location in here})
    now = time.monotonic()
    return SyncState(tuple(environments), tuple(unknown), unread, now - started, now, tuple(unreadable))


def _gone(
    namespace: str, kept: Mapping[str, OwnedRecord], known: set[str], patterns: Mapping[Target, str]
) -> list[ReleaseTarget]:
    """Return the previews that have a record in a namespace, and that their ops repo does not name any more."""
    by_app = {str(pattern.app): pattern for pattern, where in patterns.items() if where == namespace}
    found = []
    for release, entry in kept.items():
        pattern = by_app.get(entry.app)
        if pattern and release not in known and is_preview(entry.environment) and is_environment(entry.environment):
            target = pattern.with_environment(entry.environment)
            found += [ReleaseTarget(target, namespace, release)] if release_name(target) == release else []
    return found


def _unknown(namespace: str, kept: Mapping[str, OwnedRecord], known: set[str]) -> Iterator[UnknownRecord]:
    for release, entry in kept.items():
        if release not in known:
            yield UnknownRecord(namespace, release, entry.app, entry.environment)
