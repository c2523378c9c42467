"""Does what a pass decided: starts and stops jobs, and remembers what needs nothing more."""

from collections.abc import Iterable

from bot.model.registration import Target
from bot.scheduler import Scheduler
from cluster.sync.local.deployment import DeploymentJob, EnvironmentJob, JobContext, ReportJob
from cluster.sync.local.removal import RemovalJob
from cluster.sync.local.restore import RestoreJob
from cluster.sync.local.scheduled_run import ScheduledRun
from cluster.sync.local.schedules import Schedules
from cluster.sync.local.state import (
    Decision,
    Deploy,
    DesiredValues,
    Remove,
    Report,
    Restore,
    RunScheduled,
    Settle,
    Supersede,
)


def apply(
    decisions: Iterable[Decision],
    scheduler: Scheduler[Target, EnvironmentJob],
    schedules: Schedules,
    settled: dict[Target, DesiredValues],
    context: JobContext,
) -> None:
    """Do what was decided; `settled` and `schedules` change with it."""
    for decision in decisions:
        target = decision.target
        match decision:
            case Supersede():
                scheduler.supersede(target)
            case Settle():
                settled[target] = decision.desired
                follow_schedules(target, schedules, context)
            case Report():
                scheduler.start(target, ReportJob(context, decision))
            case Restore():
                settled.pop(target, None)
                scheduler.start(target, RestoreJob(context, decision))
            case Remove():
                settled.pop(target, None)
                schedules.set(target, ())
                scheduler.start(target, RemovalJob(context, decision))
            case Deploy():
                settled.pop(target, None)
                scheduler.start(target, DeploymentJob(context, decision))
            case RunScheduled():
                if scheduler.start(target, ScheduledRun(context, decision)):
                    schedules.take(target)


def follow_schedules(target: Target, schedules: Schedules, context: JobContext) -> None:
    """Go by the schedules of what runs in the environment from here on."""
    current = context.environment(target).current()
    if deployed := current.outcome if current else None:
        schedules.set(target, deployed.values.pipelines)
