"""What to do about one environment, from what is wanted, what helm has and what sync wrote down itself. Pure.

Sync writes down each step before it takes it. So after a kill at any moment, the same decision finds the step to go on
with, and there is no recovery code beside it.
"""

from dataclasses import dataclass, replace
from enum import Enum
from typing import Literal

from cluster.sync.helm.desired import Desired

# `deploying`: helm was started; `running`: helm is done, the Job is not; `failing`: the Job failed, what to go back to
# is not there yet; `removed`: the ops repo no longer names it, and that was told.
ReleasePhase = Literal["deploying", "running", "failing", "succeeded", "failed", "removed"]

# Helm refuses to touch a release while it has one of these; a helm that was killed leaves it so for ever.
BUSY = frozenset({"pending-install", "pending-upgrade", "pending-rollback", "uninstalling"})


@dataclass(frozen=True)
class Release:
    """The newest revision of a release, as the labels of helm's Secret tell."""

    revision: int
    status: str
    fingerprint: str  # empty: somebody else's
    age: float  # seconds since it was made


@dataclass(frozen=True)
class Record:
    """What sync wrote down of an environment."""

    fingerprint: str  # of what was deployed last, or tried
    phase: ReleasePhase
    revision: int = 0  # helm's newest, after what sync did
    good: int = 0  # the last revision that succeeded, or a copy of it that a rollback made
    reported: bool = True  # the end, to the bot
    told: str = ""  # up to where the Job's log was told, as JobRun says it

    def with_(self, phase: ReleasePhase, **changes: int | bool | str) -> "Record":
        """The same, one step on."""
        return replace(self, phase=phase, **changes)  # type: ignore[arg-type]


class Action(Enum):
    """What to do."""

    NOTHING = "nothing"
    WAIT = "wait"  # somebody else's helm is at work
    DEPLOY = "deploy"
    FOLLOW = "follow the Job"  # helm is done already
    ROLL_BACK = "roll back"  # the Job failed already
    REPORT = "report"
    CHECK = "look for drift"  # instead of NOTHING, now and then
    PRUNE = "prune"
    TELL_REMOVED = "tell that it was removed"


def decide(
    wanted: Desired | None, record: Record | None, release: Release | None, *, prune: bool, patience: float
) -> Action:
    """`patience`: seconds that somebody else's helm may take before it counts as killed."""
    if wanted is None:
        return _decide_removed(record, release, prune=prune)
    ours = record is not None and record.phase in ("deploying", "failing") and _is_newer(release, record)
    if release and release.status in BUSY and not ours and release.age < patience:
        return Action.WAIT
    if record is None or record.fingerprint != wanted.fingerprint or record.phase == "removed":
        return _adopt(wanted, release) if record is None else Action.DEPLOY
    match record.phase:
        case "deploying":
            done = ours and release and release.status == "deployed" and release.fingerprint == wanted.fingerprint
            return Action.FOLLOW if done else Action.DEPLOY
        case "running":
            return Action.FOLLOW if _is_unchanged(record, release) else Action.DEPLOY
        case "failing":
            return Action.ROLL_BACK
        case "failed":  # not again before something else is wanted, also when somebody tries to help by hand
            return Action.NOTHING if record.reported else Action.REPORT
        case "succeeded" if not _is_unchanged(record, release):
            return Action.DEPLOY
    return Action.NOTHING if record.reported else Action.REPORT


def _decide_removed(record: Record | None, release: Release | None, *, prune: bool) -> Action:
    if record is None or (release is None and record.phase == "removed" and not prune):
        return Action.NOTHING  # a release without a record is not sync's
    if prune:
        return Action.PRUNE
    return Action.NOTHING if record.phase == "removed" else Action.TELL_REMOVED


def _adopt(wanted: Desired, release: Release | None) -> Action:
    """Somebody deleted the record: what is there may be just what is wanted."""
    is_it = release and release.status == "deployed" and release.fingerprint == wanted.fingerprint
    return Action.FOLLOW if is_it else Action.DEPLOY


def _is_newer(release: Release | None, record: Record) -> bool:
    return release is not None and release.revision > record.revision


def _is_unchanged(record: Record, release: Release | None) -> bool:
    return release is not None and (release.revision, release.status) == (record.revision, "deployed")
