"""What to do about the releases, from what is desired, what helm has and what sync wrote down itself. Pure.

Sync writes down each step before it takes it. So after a kill at any moment, the same decision finds the step to go on
with, and there is no recovery code beside it.
"""

from dataclasses import dataclass

from cluster.limits import DRIFT_CHECKS, FOREIGN_HELM_TIMES
from cluster.sync.helm.desired import Desired
from cluster.sync.helm.state import BUSY, Decision, HelmRelease, Record, ReleaseAction, ReleaseState, SyncState


@dataclass(frozen=True)
class Rules:
    """Settings that decide what is done."""

    prune: bool = False
    drift_seconds: float | None = 300.0  # None: drift is not looked for
    helm_seconds: float = 600.0


def decide(state: SyncState, rules: Rules) -> list[Decision]:
    """Return what to do now, at most one thing for each environment; nothing for those that are not known."""
    running = [found.running for found in state.environments if found.running]
    checks = sum(decision.action is ReleaseAction.CHECK for decision in running)
    decisions = []
    for environment in state.environments:
        action = _decide_environment(environment, rules)
        if action is ReleaseAction.NOTHING and checks < DRIFT_CHECKS and _is_check_due(environment, state, rules):
            checks += 1
            action = ReleaseAction.CHECK
        if action not in (ReleaseAction.NOTHING, ReleaseAction.WAIT):
            decisions.append(Decision(action, environment))
    return decisions


def _decide_environment(environment: ReleaseState, rules: Rules) -> ReleaseAction:
    desired, running = environment.desired, environment.running
    if not environment.is_known:
        return ReleaseAction.NOTHING
    if not environment.is_read:  # what could not be read is not absent
        return ReleaseAction.TELL_REFUSED if environment.refusal and desired and not running else ReleaseAction.WAIT
    if running:
        before = running.state.desired
        is_newer = desired and before and desired.fingerprint != before.fingerprint
        is_gone = desired is None and before is not None and environment.target.is_preview
        return ReleaseAction.SUPERSEDE if is_newer or is_gone else ReleaseAction.WAIT
    if environment.waits:
        return ReleaseAction.WAIT
    patience = FOREIGN_HELM_TIMES * rules.helm_seconds
    prune = rules.prune or environment.target.is_preview  # nothing of a branch that is gone stays
    return decide_action(desired, environment.record, environment.release, prune=prune, patience=patience)


def _is_check_due(environment: ReleaseState, state: SyncState, rules: Rules) -> bool:
    """Return whether a release that is as it should be was not looked at for long."""
    record, check = environment.record, environment.check
    if rules.drift_seconds is None or not environment.is_known or record is None or record.phase != "succeeded":
        return False
    return (state.now - check.time if check else state.uptime) > rules.drift_seconds


def decide_action(
    desired: Desired | None, record: Record | None, release: HelmRelease | None, *, prune: bool, patience: float
) -> ReleaseAction:
    """Return what to do with one release; somebody else's helm counts as killed after `patience` seconds."""
    if desired is None:
        return _decide_removed(record, release, prune=prune)
    ours = record is not None and record.phase in ("deploying", "failing") and _is_newer(release, record)
    if release and release.status in BUSY and not ours and release.age < patience:
        return ReleaseAction.WAIT
    if record is None or record.fingerprint != desired.fingerprint or record.phase == "removed":
        return _adopt(desired, release) if record is None else ReleaseAction.DEPLOY
    match record.phase:
        case "deploying":
            done = ours and release and release.status == "deployed" and release.fingerprint == desired.fingerprint
            return ReleaseAction.FOLLOW if done else ReleaseAction.DEPLOY
        case "running":
            return ReleaseAction.FOLLOW if _is_unchanged(record, release) else ReleaseAction.DEPLOY
        case "failing":
            return ReleaseAction.ROLL_BACK
        case "failed":  # not again before something else is desired, also when somebody tries to help by hand
            return ReleaseAction.NOTHING if record.reported else ReleaseAction.REPORT
        case "succeeded" if not _is_unchanged(record, release):
            return ReleaseAction.DEPLOY
    return ReleaseAction.NOTHING if record.reported else ReleaseAction.REPORT


def _decide_removed(record: Record | None, release: HelmRelease | None, *, prune: bool) -> ReleaseAction:
    if record is None or (release is None and record.phase == "removed" and not prune):
        return ReleaseAction.NOTHING  # a release without a record is not sync's
    if prune:
        return ReleaseAction.PRUNE
    return ReleaseAction.NOTHING if record.phase == "removed" else ReleaseAction.TELL_REMOVED


def _adopt(desired: Desired, release: HelmRelease | None) -> ReleaseAction:
    """Somebody deleted the record: what is there may be just what is desired."""
    is_it = release and release.status == "deployed" and release.fingerprint == desired.fingerprint
    return ReleaseAction.FOLLOW if is_it else ReleaseAction.DEPLOY


def _is_newer(release: HelmRelease | None, record: Record) -> bool:
    return release is not None and release.revision > record.revision


def _is_unchanged(record: Record, release: HelmRelease | None) -> bool:
    return release is not None and (release.revision, release.status) == (record.revision, "deployed")
