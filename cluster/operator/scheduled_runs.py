"""Runs by the clock, of the schedules of a pool, whose image has the pipelines. Pure.

A run's name says of which pipeline and time it is, so whoever decides twice makes one. What was due while no operator
ran is made up for within `SCHEDULE_LATE_SECONDS`, and not after that. While a pipeline's run goes on, no other begins.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from bot.logs import get_logger
from cluster.limits import SCHEDULE_LATE_SECONDS
from cluster.operator.state import WORKER, OperatorState, Pool

_log = get_logger("dppctl.operator")


@dataclass(frozen=True)
class StartRun:
    """Make a run."""

    name: str
    spec: dict[str, Any] = field(hash=False)


class _SchedulePart(BaseModel):
    model_config = ConfigDict(frozen=True, alias_generator=to_camel, extra="forbid")


class _ScheduledPipeline(_SchedulePart):
    id: str
    schedule: str


class PoolSchedules(_SchedulePart):
    """What the annotation of a pool says; the chart makes it of `pipelines` and `schedules`."""

    pipelines: tuple[_ScheduledPipeline, ...]
    time_zone: str | None = None
    timeout_seconds: int | None = None
    pending_seconds: int


def decide_schedules(state: OperatorState) -> list[StartRun]:
    """Return the runs that are due by now and not there yet."""
    known = {run.name for run in state.runs}
    going = {run.name.rpartition("-")[0] for run in state.runs if not run.phase.has_ended}
    due = (start for pool in state.pools if pool.schedules and pool.component == WORKER for start in _due(pool, state))
    return [start for start in due if start.name not in known and start.name.rpartition("-")[0] not in going]


def _due(pool: Pool, state: OperatorState) -> Iterator[StartRun]:
    schedules = _read(pool.name, pool.schedules)
    for pipeline in schedules.pipelines if schedules else ():
        time = last_time(pipeline.schedule, schedules.time_zone if schedules else None, state.now)
        if time is None or time < pool.created:
            continue
        prefix = f"{pool.name[:40]}-{sha256(f'{pool.name} {pipeline.id}'.encode()).hexdigest()[:8]}"
        spec: dict[str, Any] = {"pipelines": [pipeline.id], "pool": pool.name, "user": f"schedule:{pool.name}"}
        if schedules:
            spec["pendingSeconds"] = schedules.pending_seconds
            if schedules.timeout_seconds:
                spec["timeoutSeconds"] = schedules.timeout_seconds
        yield StartRun(f"{prefix}-{int(time) // 60}", spec)


def last_time(schedule: str, zone: str | None, now: float) -> float | None:
    """Return the last time of a crontab's line that is not long ago, in seconds since 1970; None: there is none."""
    try:
        at = datetime.fromtimestamp(now, ZoneInfo(zone) if zone else UTC)
        times = CronSim(schedule, at - timedelta(seconds=SCHEDULE_LATE_SECONDS))
        found = None
        for time in times:
            if time > at:
                return found
            found = time.timestamp()
    except (CronSimError, ValueError, KeyError, OSError):  # zoneinfo raises all of these
        _say_once(f"schedule {schedule!r} in time zone {zone} is not understood")
        return None
    return found


@lru_cache(1000)
def _read(pool: str, text: str) -> PoolSchedules | None:
    try:
        return PoolSchedules.model_validate(json.loads(text))
    except (ValueError, ValidationError) as error:
        _say_once(f"the schedules of pool {pool} cannot be read: {error}")
        return None


@lru_cache(1000)
def _say_once(text: str) -> None:
    _log.error("schedule not understood", what=text)
