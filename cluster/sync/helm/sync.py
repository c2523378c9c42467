"""In-cluster sync: brings the releases of this cluster to what the ops repos say.

One thread observes (`observe.py`), decides (`decide.py`) and applies (`apply.py`); what is to be done to an environment
is a job in a thread of its own (`deployment.py`), never two in one environment. Few helms run at a time; the Jobs that
they start are followed beside that, so that a slow one holds up nobody.
"""

import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.backoff import Backoff
from bot.kubernetes import ApiError
from bot.logs import bind_push, get_logger
from bot.model.previews import PREVIEWS
from bot.model.registration import Target
from bot.scheduler import EndedJob, Scheduler
from cluster.limits import MAX_SYNC_RETRY_SECONDS, SYNC_POLL_SECONDS, SYNC_RETRY_SECONDS, SYNC_STOP_SECONDS
from cluster.sync.helm.apply import apply
from cluster.sync.helm.context import SyncContext
from cluster.sync.helm.decide import Rules, decide
from cluster.sync.helm.deployment import DeploymentRun
from cluster.sync.helm.desired import Desired, ReleaseTarget, release_name
from cluster.sync.helm.observe import observe, reader_of
from cluster.sync.helm.state import Decision, DriftCheck, ReleaseAction, ReleaseState, SyncState, UnknownRecord

_log = get_logger("dppctl.sync")


@dataclass
class PassCounts:
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
        context: SyncContext,
        targets: frozenset[Target],
        namespaces: Mapping[str, str],
        rules: Rules,
        stopping: threading.Event,
    ) -> None:
        """Take the `namespaces` of the environments that belong to this cluster. The other targets are left alone."""
        self._namespaces = namespaces
        self._targets = sorted(target for target in targets if target.environment in namespaces)
        self.counts = PassCounts()
        self.started = time.monotonic()
        self._context = context
        self._rules = rules
        self._stopping = stopping
        self._wake = threading.Event()
        self._reader = reader_of(self._targets, self.location, context.repositories)
        self._patterns: Mapping[Target, str] = {}  # `preview-*` of ops repos that were read, with their namespaces
        self._previews: list[Target] = []  # that the ops repos name
        self._scheduler: Scheduler[Target, DeploymentRun] = Scheduler(
            stopping, self._on_end, backoff=Backoff(SYNC_RETRY_SECONDS, MAX_SYNC_RETRY_SECONDS)
        )
        self._desired: Mapping[Target, Desired | None] = {}  # without those that are not known
        self._problems: dict[Target, str] = {}  # logged already
        self._checks: dict[Target, DriftCheck] = {}
        self._unknown: set[UnknownRecord] = set()  # logged already
        self._unreadable: set[str] = set()  # logged already
        self._unread: dict[str, object] = {}  # namespaces, as that was logged
        self._told: dict[Target, str] = {}  # fingerprints of which it was reported that their namespace is not read

    @property
    def locations(self) -> Mapping[Target, ReleaseTarget]:
        """Return where the environments are that apps.yaml names; for all previews of an app `preview-*` stands."""
        return {target: self.location(target) for target in self._targets}

    def location(self, target: Target) -> ReleaseTarget:
        """Return where an environment of this cluster is."""
        name = PREVIEWS if target.is_preview and target.environment not in self._namespaces else target.environment
        return ReleaseTarget(target, self._namespaces[name], release_name(target))

    def wake(self) -> None:
        """Look soon: something was committed to an ops repo."""
        self._wake.set()

    def stop(self) -> None:
        """Have `run` return soon; the next one goes on with what is under way. Any thread may call it."""
        self._stopping.set()
        self._scheduler.stop()
        self._wake.set()

    def run(self) -> None:
        """Work until `stop`. What fails for one environment, namespace or ops repo does not hold up the others."""
        self.started = time.monotonic()
        while not self._stopping.is_set():
            self._wake.clear()
            self._pass()
            self._wake.wait(SYNC_POLL_SECONDS)
        self._scheduler.close(SYNC_STOP_SECONDS)

    def sync(self) -> bool:
        """Look, and go on until there is nothing more to do. Return whether all went well."""
        failed = not self._pass()
        while len(self._scheduler) and not self._stopping.is_set():
            self._collect(SYNC_POLL_SECONDS)
            if not len(self._scheduler):
                failed |= not self._pass()
        self._scheduler.close(SYNC_STOP_SECONDS)
        return not failed and not self._problems and self.counts.phases.get("failed", 0) == 0

    def _pass(self) -> bool:
        """Look; return False also when that breaks: the next pass may find something else."""
        try:
            return self.look()
        except Exception:  # noqa: BLE001 (a mistake of ours)
            _log.exception("pass broke")
            return False

    def look(self) -> bool:
        """Make a pass: start what is to be done. Return False when an ops repo or a namespace could not be read."""
        began = time.monotonic()
        self._collect()
        is_read = self.read()
        environments = [*(target for target in self._targets if not target.is_pattern), *self._previews]
        locations = [self.location(target) for target in environments]
        state = observe(
            self._context.api,
            locations,
            self._desired,
            self._scheduler,
            self._checks,
            self._problems,
            self._told,
            self.started,
            self._patterns,
        )
        started = apply(decisions := decide(state, self._rules), self._scheduler, self._context)
        self._note_unread(state, decisions)
        self._log_unknown(state)
        self._count(state, started, began)
        return is_read and not state.unread

    def read(self) -> bool:
        """Read the ops repos. Return False when one could not be read, or newly has no chart for an environment."""
        found = self._reader.read()
        for target, desired in found.by_target.items():
            before = self._desired.get(target)
            if target not in self._desired or _fingerprint(desired) != _fingerprint(before):
                self._scheduler.forget_failures(target)
                self._problems.pop(target, None)
        self._desired = found.by_target
        self._patterns = {target: self._namespaces[target.environment] for target in found.patterns}
        self._previews = sorted(target for target in {*found.by_target, *found.problems} if target.is_preview)
        self.counts.errors += found.unread
        are_new = [self._note_problem(target, problem) for target, problem in found.problems.items()]
        return not found.unread and not any(are_new)

    def known(self) -> list[tuple[ReleaseTarget, Desired | None]]:
        """Return what the ops repos say, of those that could be read."""
        known = [target for target in [*self._targets, *self._previews] if target in self._desired]
        return [(self.location(target), self._desired[target]) for target in known]

    def _on_end(self, ended: EndedJob[Target, DeploymentRun]) -> None:
        if ended.superseded:
            self._wake.set()  # else there is nothing new to find: the next pass is soon enough

    def _collect(self, seconds: float = 0.0) -> None:
        """Take note of the jobs that ended; wait up to `seconds` for the first of them."""
        for ended in self._scheduler.collect(seconds):
            target = ended.target
            if ended.error:
                if not ended.superseded:
                    with bind_push(ended.job.deliveries):
                        self._note_problem(target, str(ended.error))
                continue
            self._problems.pop(target, None)
            if isinstance(ended.result, DriftCheck):
                self._checks[target] = ended.result
                self.counts.drift = {target: len(check.drift) for target, check in self._checks.items()}

    def _note_problem(self, target: Target, text: str) -> bool:
        """Log a problem once, however often it is tried again. Return whether it is new."""
        if self._problems.get(target) == text:
            return False
        self._problems[target] = text
        self.counts.errors += 1
        _log.error("not deployed", app=target.app, environment=target.environment, error=text)
        return True

    def _note_unread(self, state: SyncState, decisions: list[Decision]) -> None:
        """Log once that a namespace cannot be read, and that it can again; note what of it is reported."""
        for namespace, error in state.unread.items():
            kind = error.status if isinstance(error, ApiError) else type(error)
            if self._unread.get(namespace) != kind:
                self._unread[namespace] = kind
                _log.error("namespace not read", namespace=namespace, error=error)
        for namespace in self._unread.keys() - state.unread.keys():
            del self._unread[namespace]
            _log.info("namespace read again", namespace=namespace)
        for decision in decisions:
            if decision.action is ReleaseAction.TELL_REFUSED and (desired := decision.state.desired):
                self._told[decision.state.target] = desired.fingerprint
        for environment in state.environments:
            if environment.is_read:
                self._told.pop(environment.target, None)

    def _log_unknown(self, state: SyncState) -> None:
        for name in state.unreadable:
            if name not in self._unreadable:
                self._unreadable.add(name)
                _log.warning("not helm's own, left alone: its labels are not as helm writes them", secret=name)
        for found in state.unknown:
            if found not in self._unknown:
                self._unknown.add(found)
                _log.warning(
                    "not in apps.yaml, left alone",
                    namespace=found.namespace,
                    release=found.release,
                    app=found.app,
                    environment=found.environment,
                )

    def _count(self, state: SyncState, started: list[ReleaseAction], began: float) -> None:
        counts = self.counts
        counts.errors += len(state.unread)
        counts.done.update(action.value for action in started)
        counts.phases = dict(Counter(_phase(found) for found in state.environments))
        counts.passes += 1
        counts.looked = time.monotonic()
        counts.pass_seconds += counts.looked - began


def _phase(environment: ReleaseState) -> str:
    if not environment.is_read:
        return "unread"
    return environment.record.phase if environment.record else "none"


def _fingerprint(desired: Desired | None) -> str:
    return desired.fingerprint if desired else ""
