"""What a pass of the local sync observes, and what it decides, as plain values."""

from dataclasses import dataclass

from bot.model.registration import Target
from bot.model.values import Pipeline, Values
from cluster.sync.outcome import Outcome


@dataclass(frozen=True)
class DesiredValues:
    """What the ops repo says about an environment, and the commit that said so."""

    values: Values
    ops_commit: str
    restored: str = ""  # the ops commit whose release is wanted back; "": the values are to run


@dataclass(frozen=True)
class Deploy:
    """Bring the environment to these values."""

    target: Target
    desired: DesiredValues


@dataclass(frozen=True)
class Restore:
    """Have a release that is there be what an ops commit wants: nothing runs. `end`: what is reported of that."""

    target: Target
    desired: DesiredValues
    release: Outcome
    end: Outcome


@dataclass(frozen=True)
class Report:
    """Report how a deployment ended: a kill, or a receiver that was away, came before that."""

    target: Target
    outcome: Outcome


@dataclass(frozen=True)
class RunScheduled:
    """Run pipelines that are due by their schedule, on what is deployed."""

    target: Target
    deployed: Outcome
    pipelines: tuple[Pipeline, ...]


@dataclass(frozen=True)
class Remove:
    """Remove a preview, with its data: the ops repo does not name it any more."""

    target: Target


@dataclass(frozen=True)
class Supersede:
    """Stop the environment's job: something newer is to run."""

    target: Target


@dataclass(frozen=True)
class Settle:
    """Remember that the environment needs nothing more until something else is desired."""

    target: Target
    desired: DesiredValues


Work = Deploy | Restore | Report | RunScheduled | Remove  # what a job does
Decision = Work | Supersede | Settle


@dataclass(frozen=True)
class EnvironmentState:
    """One environment, as a pass finds it. Its records are not read where nothing can follow from them."""

    target: Target
    desired: DesiredValues | None  # None: the ops repo says nothing of it, or nothing that can be used
    is_settled: bool  # nothing more is to be done for what is desired
    running: Work | None  # what its job does
    waits: bool  # its last job failed, and is not to be tried again yet
    last_start: float  # of a job, in seconds of the monotonic clock; 0.0: never
    last: Outcome | None = None  # how the last deployment ended
    current: Outcome | None = None  # of the deployment that made what runs there
    due: tuple[Pipeline, ...] = ()  # by their schedules
    is_gone: bool = False  # a preview that the ops repo does not name any more
    kept: tuple[Outcome, ...] = ()  # of the releases that can be gone back to, when one is wanted


@dataclass(frozen=True)
class MachineState:
    """All environments of this machine."""

    environments: tuple[EnvironmentState, ...]
    free: int  # how many more jobs may start
    now: float  # seconds of the epoch
