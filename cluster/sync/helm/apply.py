"""Does what a pass decided: starts and stops jobs."""

from collections.abc import Iterable

from bot.model.registration import Target
from bot.scheduler import Scheduler
from cluster.sync.helm.context import SyncContext
from cluster.sync.helm.deployment import DeploymentRun
from cluster.sync.helm.state import Decision, ReleaseAction


def apply(
    decisions: Iterable[Decision], scheduler: Scheduler[Target, DeploymentRun], context: SyncContext
) -> list[ReleaseAction]:
    """Do what was decided, and return the actions whose jobs started."""
    started: list[ReleaseAction] = []
    for decision in decisions:
        target = decision.state.target
        if decision.action is ReleaseAction.SUPERSEDE:
            scheduler.supersede(target)
        elif scheduler.start(target, DeploymentRun(context, decision)):
            started.append(decision.action)
    return started
