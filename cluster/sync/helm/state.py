"""What a pass of the in-cluster sync observes, and what it decides, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Literal

from bot.kubernetes import KubernetesError
from bot.model.registration import Target
from cluster.sync.helm.desired import Desired, ReleaseTarget

# `deploying`: helm was started; `running`: helm is done, the Job is not; `failing`: the Job failed, what to go back to
# is not there yet; `removed`: the ops repo no longer names it, and that was logged.
ReleasePhase = Literal["deploying", "running", "failing", "succeeded", "failed", "removed"]

# Helm refuses to touch a release while it has one of these; a helm that was killed leaves it so for ever.
BUSY = frozenset({"pending-install", "pending-upgrade", "pending-rollback", "uninstalling"})


@dataclass(frozen=True)
class HelmRelease:
    """The newest revision of a release, as the labels of helm's Secret say."""

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
    job: str = ""  # the Job that was seen to succeed last
    reported_log: str = ""  # up to where the Job's log was reported, as JobRun says it

    def with_(self, phase: ReleasePhase, **changes: int | bool | str) -> "Record":
        """Return the same, one step on."""
        return replace(self, phase=phase, **changes)  # type: ignore[arg-type]


class ReleaseAction(Enum):
    """What to do with a release."""

    NOTHING = "nothing"
    WAIT = "wait"  # somebody else's helm is at work
    SUPERSEDE = "supersede"  # stop its job: something newer is to run
    DEPLOY = "deploy"
    FOLLOW = "follow the Job"  # helm is done already
    ROLL_BACK = "roll back"  # the Job failed already
    REPORT = "report"
    CHECK = "look for drift"  # instead of NOTHING, now and then
    PRUNE = "prune"
    TELL_REMOVED = "tell that it was removed"
    TELL_REFUSED = "tell that its namespace cannot be read"


@dataclass(frozen=True)
class DriftCheck:
    """The last look for drift."""

    time: float  # by the monotonic clock
    drift: tuple[str, ...]  # a line for each object that somebody changed
    uncompared: tuple[str, ...] = ()  # a line for each object that could not be looked at


@dataclass(frozen=True)
class ReleaseState:
    """One environment, as a pass finds it."""

    location: ReleaseTarget
    is_known: bool  # its ops repo could be read, and has a chart for it
    desired: Desired | None  # None: the ops repo does not name it
    record: Record | None
    release: HelmRelease | None
    running: "Decision | None" = None  # what its job does
    waits: bool = False  # its last job failed, and is not to be tried again yet
    check: DriftCheck | None = None
    problem: str = ""  # why its last job failed, as it was logged and reported
    is_read: bool = True  # False: its namespace could not be read, so nothing is known of record and release
    refusal: str = ""  # why not, where a person must do something, and that was not reported yet

    @property
    def target(self) -> Target:
        """Return the app and the environment."""
        return self.location.target


@dataclass(frozen=True)
class Decision:
    """What to do with one release, and what that was decided from."""

    action: ReleaseAction
    state: ReleaseState


@dataclass(frozen=True)
class UnknownRecord:
    """A record of an environment that is not in apps.yaml (any more). Another sync's, perhaps."""

    namespace: str
    release: str
    app: str
    environment: str


@dataclass(frozen=True)
class SyncState:
    """All environments."""

    environments: tuple[ReleaseState, ...]
    unknown: tuple[UnknownRecord, ...]
    unread: Mapping[str, KubernetesError]  # namespaces that could not be read, and why
    uptime: float  # seconds since sync started
    now: float  # by the monotonic clock
    unreadable: tuple[str, ...] = ()  # Secrets that look like helm's and are not, as NAMESPACE/NAME
