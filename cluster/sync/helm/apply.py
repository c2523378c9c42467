"""Does what a pass decided: starts and stops jobs."""

from collections.abc import Iterable

from bot.model.registration import Target
from cluster.scheduler import Scheduler
from cluster.sync.helm.context import SyncContext
from cluster.sync.helm.deployment import DeploymentRun
from cluster.sync.helm.state import Action, Decision


def apply(
    decisions: Iterable[Decision], scheduler: Scheduler[Target, DeploymentRun], context: SyncContext
) -> list[Action]:
    """Do what was decided, and return the actions whose jobs started."""
    started: list[Action] = []
    for decision in decisions:
        target = decision.state.target
        if decision.action is Action.SUPERSEDE:
            scheduler.supersede(target)
        elif scheduler.start(target, DeploymentRun(context, decision)):
            started.append(decision.action)
    return started
