"""When pipelines run by the clock: the crontab lines of their specs, in UTC.

They are read as Debian's cron reads them. (APScheduler's numbers of weekdays start on Monday, cron's on Sunday:
https://github.com/agronholm/apscheduler/issues/286.) What was due while nothing ran is not made up for.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from cronsim import CronSim, CronSimError

from bot.logs import get_logger
from bot.model.registration import Target
from bot.model.values import Pipeline

_log = get_logger("dppctl.sync")


class Schedules:
    """For each environment, the pipelines that have a schedule and when each is due."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Take a clock."""
        self._now = now
        self._due: dict[Target, dict[Pipeline, datetime | None]] = {}

    def set(self, target: Target, pipelines: Iterable[Pipeline]) -> None:
        """Go by the schedules of these pipelines; one that was known already keeps its time."""
        before = self._due.get(target, {})
        scheduled = [pipeline for pipeline in pipelines if pipeline.schedule]
        self._due[target] = {
            pipeline: before[pipeline] if pipeline in before else self._next(target, pipeline) for pipeline in scheduled
        }

    def due(self, target: Target) -> list[Pipeline]:
        """Return the pipelines that are due now, each once for all the times that have passed."""
        now = self._now()
        return [pipeline for pipeline, time in self._due.get(target, {}).items() if time and time <= now]

    def take(self, target: Target) -> list[Pipeline]:
        """Return the pipelines that are due now, and have each wait for its next time."""
        taken = self.due(target)
        for pipeline in taken:
            self._due[target][pipeline] = self._next(target, pipeline)
        return taken

    def seconds(self) -> float | None:
        """Return the seconds until the next is due, of those that are not due already; None: there are none."""
        now = self._now()
        times = [time for due in self._due.values() for time in due.values() if time and time > now]
        return (min(times) - now).total_seconds() if times else None

    def _next(self, target: Target, pipeline: Pipeline) -> datetime | None:
        try:
            return next(CronSim(pipeline.schedule or "", self._now()), None)
        except CronSimError as error:
            _log.error(
                "schedule not understood",
                app=target.app,
                environment=target.environment,
                pipeline=pipeline.id,
                schedule=pipeline.schedule,
                error=error,
            )
            return None
