"""Reads what the ops repos say and what this machine has, into one plain value."""

import time
from collections.abc import Collection, Iterable, Mapping, Sequence

from bot.errors import DppctlError
from bot.logs import get_logger
from bot.model.registration import Target
from bot.model.trailers import RESTORED_FORM, read_restored
from bot.model.values import Values
from bot.scheduler import Scheduler
from cluster.sync.local.deployment import EnvironmentJob, JobContext
from cluster.sync.local.schedules import Schedules
from cluster.sync.local.state import DesiredValues, EnvironmentState, MachineState
from cluster.sync.repositories import Reader, values_at

_log = get_logger("dppctl.sync")


def read_desired(ops: Reader, head: str, targets: Sequence[Target]) -> dict[Target, DesiredValues | DppctlError | None]:
    """Return what the ops repo says of environments at a commit, or why that cannot be used; None: nothing."""
    return {
        target: DesiredValues(values, *read_restored(ops.last_change(target.values_file, RESTORED_FORM)))
        if isinstance(values, Values)
        else values
        for target, values in values_at(ops, head, targets).items()
    }


def observe(
    targets: Iterable[Target],
    desired: Mapping[Target, DesiredValues],
    settled: Mapping[Target, DesiredValues],
    scheduler: Scheduler[Target, EnvironmentJob],
    schedules: Schedules,
    context: JobContext,
    gone: Collection[Target] = (),
) -> MachineState:
    """Return the environments as they are now; `settled`: what needs nothing more; `gone`: previews that are to go.

    One whose files cannot be read is logged, and holds up no other.
    """

    def state_of(target: Target) -> EnvironmentState:
        job, wish = scheduler.running(target), desired.get(target)
        is_settled = wish is None or wish == settled.get(target)
        due = tuple(schedules.due(target))
        environment = context.environment(target)
        is_read = job is None and (due or not is_settled)
        current = environment.current() if is_read else None
        return EnvironmentState(
            target=target,
            desired=wish,
            is_settled=is_settled,
            running=job.work if job else None,
            waits=scheduler.waits(target),
            last_start=scheduler.last_start(target),
            last=(context.ends.get(target) or environment.last()) if is_read else None,
            current=current.outcome if current else None,
            due=due,
            is_gone=target in gone,
            kept=tuple(found for _, found in environment.kept()) if is_read and wish and wish.restored else (),
        )

    found: list[EnvironmentState] = []
    for target in targets:
        try:
            found.append(state_of(target))
        except OSError as error:
            _log.error("environment not read", app=target.app, environment=target.environment, error=error)
    return MachineState(tuple(found), scheduler.free(), time.time())
