"""When pipelines run next by the clock. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from pydantic import BaseModel, ConfigDict, Field

from bot.limits import MAX_SCHEDULE

_Text = Annotated[str, Field(min_length=1, max_length=MAX_SCHEDULE, pattern=r"^[^\x00]*$")]


class PipelineSchedule(BaseModel):
    """A pipeline of what is deployed that runs by the clock: its crontab line, and whose clock that is."""

    model_config = ConfigDict(frozen=True)

    pipeline: _Text
    schedule: _Text
    time_zone: _Text = "UTC"


@dataclass(frozen=True)
class NextRun:
    """When a pipeline runs next; `time` is in UTC."""

    pipeline: str
    schedule: str
    time_zone: str
    time: datetime


def next_runs(schedules: Iterable[PipelineSchedule], now: datetime) -> list[NextRun]:
    """Return when pipelines run next, the first to come first; what no clock understands runs never."""
    found = []
    for known in schedules:
        try:
            time = next(CronSim(known.schedule, now.astimezone(ZoneInfo(known.time_zone))), None)
        except (CronSimError, ValueError, KeyError, OSError):  # zoneinfo raises all but the first
            continue
        if time:
            found.append(NextRun(known.pipeline, known.schedule, known.time_zone, time.astimezone(UTC)))
    return sorted(found, key=lambda run: (run.time, run.pipeline))
