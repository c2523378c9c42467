"""In-cluster sync: brings the releases of this cluster to what the ops repos say.

One thread looks and decides; what is to be done to an environment runs in a thread of its own (`deployment.py`), never
two in one environment. Few helms run at a time; the Jobs that they start are followed beside that, so that a slow one
holds up nobody.
"""

import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.errors import DppctlError
from bot.kubernetes import ApiAwayError, ApiError
from bot.logs import get_logger
from bot.model.registration import Target
from cluster.errors import ClusterError
from cluster.limits import DRIFT_CHECKS, FOREIGN_HELM_TIMES, SYNC_POLL_SECONDS, SYNC_RETRY_SECONDS
from cluster.sync.helm.context import SyncContext
from cluster.sync.helm.decide import Action, Record, Release, decide
from cluster.sync.helm.deployment import DeploymentRun
from cluster.sync.helm.desired import Desired, ReleaseTarget, paths, release_name, wanted
from cluster.sync.helm.journal import UnusableError
from cluster.sync.helm.records import Kept, records
from cluster.sync.helm.releases import releases

_log = get_logger("dppctl.sync")


@dataclass(frozen=True)
class Rules:
    """Settings that decide what is done."""

    prune: bool = False
    drift_seconds: float | None = 300.0  # None: drift is not looked for
    helm_seconds: float = 600.0


@dataclass
class Counts:
    """For /metrics."""

    passes: int = 0
    pass_seconds: float = 0.0
    looked: float = 0.0  # when the last pass ended, by the monotonic clock; 0: never
    phases: Mapping[str, int] = field(default_factory=dict)  # environments by their record's phase
    done: Counter[str] = field(default_factory=Counter)  # what was done, by action
    errors: int = 0
    drift: Mapping[Target, int] = field(default_factory=dict)  # objects that a check found changed by hand


class HelmSync:
    """One thread's work: `run` it there."""

    def __init__(
        self,
        means: SyncContext,
        targets: frozenset[Target],
        namespaces: Mapping[str, str],
        rules: Rules,
        stopping: threading.Event,
    ) -> None:
        """`namespaces`: of the environments that belong to this cluster. The other targets are left alone."""
        mine = sorted(target for target in targets if target.environment in namespaces)
        self.places = {
            target: ReleaseTarget(target, namespaces[target.environment], release_name(target)) for target in mine
        }
        self.counts = Counts()
        self._means = means
        self._rules = rules
        self._stopping = stopping
        self._wake = threading.Event()
        self._done = threading.Event()  # something ended
        self._heads: dict[str, str] = {}  # of the ops repos, as they were read last
        self._wanted: dict[Target, Desired | None] = {}  # without those that are not known
        self._work: dict[Target, DeploymentRun] = {}
        self._ended: dict[Target, Exception | None] = {}
        self._not_before: dict[Target, float] = {}
        self._problems: dict[Target, str] = {}  # told already
        self._given_up: dict[Target, Desired | None] = {}  # values that can never work
        self._checked: dict[Target, float] = {}
        self._drift: dict[Target, list[str]] = {}  # as the last check found it
        self._strangers: set[tuple[str, str]] = set()  # records of nobody here, told already
        self.started = time.monotonic()

    def wake(self) -> None:
        """Something was committed to an ops repo."""
        self._wake.set()

    def stop(self) -> None:
        """`run` returns soon; what it is at is gone on with after the next start."""
        self._stopping.set()
        self._wake.set()

    def run(self) -> None:
        """Until `stop`. What fails for one environment, namespace or ops repo does not hold up the others."""
        while not self._stopping.is_set():
            self._wake.clear()
            self.look()
            self._wake.wait(SYNC_POLL_SECONDS)
        self._end_all()

    def sync(self) -> bool:
        """Look, and go on until there is nothing more to do. Whether all went well."""
        failed = not self.look()
        while self._work and not self._stopping.is_set():
            self._done.wait(SYNC_POLL_SECONDS)
            self._done.clear()
            self._collect()
            if not self._work:
                failed |= not self.look()
        self._end_all()
        return not failed and not self._problems and self.counts.phases.get("failed", 0) == 0

    def look(self) -> bool:
        """A pass: start what is to be done. False when an ops repo or a namespace could not be read."""
        began = time.monotonic()
        self._collect()
        errors = self.counts.errors
        self.read()
        phases: Counter[str] = Counter()
        for namespace in sorted({place.namespace for place in self.places.values()}):
            try:
                there, kept = releases(self._means.api, namespace), records(self._means.api, namespace)
            except ApiAwayError as error:
                self.counts.errors += 1
                _log.error("namespace not read", namespace=namespace, error=error)
                continue
            except ApiError:
                there, kept = {}, {}  # a deployment there, which reads the same first, will say so to all
            for place in self.places.values():
                if place.namespace == namespace:
                    found = kept.pop(place.release, None)
                    self._look_at(place, found.record if found else None, there.get(place.release))
                    phases[found.record.phase if found else "none"] += 1
            self._tell_strangers(namespace, kept)
        self.counts.phases = dict(phases)
        self.counts.passes += 1
        self.counts.looked = time.monotonic()
        self.counts.pass_seconds += self.counts.looked - began
        return self.counts.errors == errors

    def read(self) -> bool:
        """Read the ops repos. False when one could not be read, or has no chart for an environment."""
        errors = self.counts.errors
        for name in sorted({target.ops.repository for target in self.places}):
            try:
                self._read(name)
            except DppctlError as error:
                self.counts.errors += 1
                _log.error("ops repo not read", ops=name, error=error)
        return self.counts.errors == errors

    def known(self) -> list[tuple[ReleaseTarget, Desired | None]]:
        """What the ops repos say, of those that could be read."""
        return [(self.places[target], self._wanted[target]) for target in self.places if target in self._wanted]

    def _read(self, name: str) -> None:
        """Find out what an ops repo wants, if that may have changed. Raises DppctlError."""
        mine = [place for target, place in self.places.items() if target.ops.repository == name]
        with self._means.repositories.use(name) as ops:
            ops.refresh()
            head = ops.head()
            if head is None or head == self._heads.get(name):
                return
            entries = ops.entries(head, sorted({path for place in mine for path in paths(place.target)}))
        for place in mine:
            try:
                self._wanted[place.target] = wanted(place, head, entries)
                self._problems.pop(place.target, None)
            except DppctlError as error:
                self._wanted.pop(place.target, None)
                self._tell_problem(place.target, str(error))
        self._heads[name] = head

    def _look_at(self, place: ReleaseTarget, record: Record | None, release: Release | None) -> None:
        target = place.target
        if target not in self._wanted:
            return  # not known: nothing is done about it
        new = self._wanted[target]
        if work := self._work.get(target):
            if new and work.wanted and new.fingerprint != work.wanted.fingerprint:
                work.stop(superseded=True)
            return
        if self._stopping.is_set() or self._not_before.get(target, 0.0) > time.monotonic():
            return
        if target in self._given_up and self._given_up[target] == new:
            return
        patience = FOREIGN_HELM_TIMES * self._rules.helm_seconds
        action = decide(new, record, release, prune=self._rules.prune, patience=patience)
        if action is Action.NOTHING and record and record.phase == "succeeded" and self._is_check_due(target):
            action = Action.CHECK
        if action not in (Action.NOTHING, Action.WAIT):
            known = self._drift.get(target, ())
            self._start(DeploymentRun(self._means, place, action, new, record, release, known), action)

    def _is_check_due(self, target: Target) -> bool:
        seconds = self._rules.drift_seconds
        checks = sum(work.action is Action.CHECK for work in self._work.values())
        return (
            seconds is not None
            and checks < DRIFT_CHECKS
            and time.monotonic() - self._checked.get(target, self.started) > seconds
        )

    def _start(self, work: DeploymentRun, action: Action) -> None:
        target = work.place.target

        def run() -> None:
            error: Exception | None = ClusterError("its thread broke; the traceback is in the log")
            try:
                work.run()
                error = None
            except (DppctlError, OSError) as problem:
                error = problem
            finally:
                self._ended[target] = error
                self._done.set()
                if work.superseded:
                    self._wake.set()  # else there is nothing new to find: the next pass is soon enough

        self._work[target] = work
        self.counts.done[action.value] += 1
        threading.Thread(target=run, name=f"{target.environment} of {target.app}", daemon=True).start()

    def _collect(self) -> None:
        """Take note of what ended."""
        for target in list(self._ended):
            work, error = self._work.pop(target), self._ended.pop(target)
            if work.action is Action.CHECK:
                self._checked[target] = time.monotonic()
                self._drift[target] = work.drift
                self.counts.drift = {**self.counts.drift, target: len(work.drift)}
            if error is None:
                self._problems.pop(target, None)
                continue
            self._not_before[target] = time.monotonic() + SYNC_RETRY_SECONDS
            if isinstance(error, UnusableError):
                self._given_up[target] = work.wanted
            text = str(error)
            if isinstance(error, ApiError) and error.status == 403:
                text += f"; is namespace {work.place.namespace} there, with sync's Role? See docs/sync.md"
            if self._tell_problem(target, text) and isinstance(error, ApiError):
                work.tell_problem(text)

    def _tell_problem(self, target: Target, text: str) -> bool:
        """Once, however often it is tried again. Whether it is new."""
        if self._problems.get(target) == text:
            return False
        self._problems[target] = text
        self.counts.errors += 1
        _log.error("not deployed", app=target.app, environment=target.environment, error=text)
        return True

    def _tell_strangers(self, namespace: str, kept: Mapping[str, Kept]) -> None:
        """Records of environments that apps.yaml does not name (any more). Another sync's, perhaps: left alone."""
        for release, one in kept.items():
            if (namespace, release) not in self._strangers:
                self._strangers.add((namespace, release))
                _log.warning(
                    "not in apps.yaml, left alone",
                    app=one.app,
                    environment=one.environment,
                    namespace=namespace,
                    release=release,
                )

    def _end_all(self) -> None:
        for work in self._work.values():
            work.stop()
        end = time.monotonic() + 2 * SYNC_POLL_SECONDS
        while self._work and time.monotonic() < end:
            self._done.wait(0.5)
            self._done.clear()
            self._collect()
