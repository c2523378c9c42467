"""Reads what the ops repos say and what this machine has, into one plain value."""

import time
from collections.abc import Iterable, Mapping

from bot.errors import DppctlError
from bot.logs import get_logger
from bot.model.registration import Target
from cluster.scheduler import Scheduler
from cluster.sync.local.deployment import EnvironmentJob, JobContext
from cluster.sync.local.schedules import Schedules
from cluster.sync.local.state import DesiredValues, EnvironmentState, MachineState
from cluster.sync.repositories import Repositories, Repository, values_at

_log = get_logger("dppctl.sync")


class DesiredValuesReader:
    """Reads what the ops repos say; where nothing was committed, what was read last holds."""

    def __init__(self, targets: Iterable[Target], repositories: Repositories) -> None:
        self._targets = frozenset(targets)
        self._repositories = repositories
        self._heads: dict[str, str | None] = {}  # of the ops repos, as they were read last
        self._desired: dict[Target, DesiredValues] = {}

    def read(self) -> dict[Target, DesiredValues]:
        """Return what the ops repos say, without environments of which they say nothing that can be used.

        An ops repo that cannot be read is logged, and holds up no other.
        """
        for name in sorted({target.ops.repository for target in self._targets}):
            try:
                with self._repositories.use(name) as ops:
                    ops.refresh()
                    self._read(name, ops)
            except DppctlError as error:
                _log.error("ops repo not read", ops=name, error=error)
        return dict(self._desired)

    def _read(self, name: str, ops: Repository) -> None:
        head = ops.head()
        if head is None or head == self._heads.get(name):
            return
        targets = [target for target in self._targets if target.ops.repository == name]
        with ops.open() as reader:
            for target, values in values_at(reader, head, targets).items():
                self._desired.pop(target, None)
                if isinstance(values, DppctlError):
                    _log.error("not deployed", app=target.app, environment=target.environment, error=values)
                elif values:
                    self._desired[target] = DesiredValues(values, reader.last_change(target.values_file))
        self._heads[name] = head


def observe(
    targets: Iterable[Target],
    desired: Mapping[Target, DesiredValues],
    settled: Mapping[Target, DesiredValues],
    scheduler: Scheduler[Target, EnvironmentJob],
    schedules: Schedules,
    context: JobContext,
) -> MachineState:
    """Return the environments as they are now; `settled`: what needs nothing more.

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
        )

    found: list[EnvironmentState] = []
    for target in targets:
        try:
            found.append(state_of(target))
        except OSError as error:
            _log.error("environment not read", app=target.app, environment=target.environment, error=error)
    return MachineState(tuple(found), scheduler.free(), time.time())
