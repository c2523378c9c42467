"""What came out of each run of an environment, by the clock too, and what data the environment has now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, delete, func, select

from bot.database import Database
from bot.limits import HISTORY_RUNS, MAX_FORGOTTEN_RUNS
from bot.model.receipt import Receipt
from bot.store.run_records import results_of
from bot.store.run_tables import CurrentData, EndedRun, RunResult


@dataclass(frozen=True, order=True)
class ResourceKey:
    """A resource of a pipeline; `resource` "": the pipeline as a whole."""

    pipeline: str
    resource: str = ""


@dataclass(frozen=True)
class RunPoint:
    """What one run made of a pipeline or a resource; bytes and seconds are known of pipelines only."""

    run: int
    deployment: int
    is_scheduled: bool
    ended: datetime
    status: str  # the pipeline's: succeeded, failed, stopped
    rows: int | None
    bytes: int | None
    seconds: float | None


class History:
    """Runs that ended, and what is current. They are recorded with the reports of deployments."""

    def __init__(self, database: Database) -> None:
        """Keep history in `database`."""
        self._database = database

    def runs(self, app: str, environment: str, limit: int = HISTORY_RUNS) -> Sequence[EndedRun]:
        """Return the newest runs of an environment, newest first."""
        with self._database.read() as session:
            return session.scalars(_newest(app, environment, limit)).all()

    def resources(self, app: str, environment: str) -> list[ResourceKey]:
        """Return what the environment's data has, in the receipt's order: each pipeline, then its resources."""
        current = self.current(app, environment)
        if current is None:
            return []
        results = results_of(Receipt.model_validate(current.receipt))
        return list(dict.fromkeys(ResourceKey(result.pipeline, result.resource) for result in results))

    def series(
        self,
        app: str,
        environment: str,
        pipeline: str | None = None,
        resource: str | None = None,
        limit: int = HISTORY_RUNS,
    ) -> Mapping[ResourceKey, Sequence[RunPoint]]:
        """Return what the newest runs made, by pipeline and resource, each oldest first; or of one of them only."""
        runs = _newest(app, environment, limit).with_only_columns(EndedRun.id).subquery()
        wanted = select(RunResult, EndedRun.deployment_id, EndedRun.is_scheduled, EndedRun.ended)
        wanted = wanted.join(EndedRun, EndedRun.id == RunResult.run_id).where(EndedRun.id.in_(select(runs)))
        if pipeline is not None:
            wanted = wanted.where(RunResult.pipeline == pipeline)
        if resource is not None:
            wanted = wanted.where(RunResult.resource == resource)
        found: dict[ResourceKey, list[RunPoint]] = {}
        with self._database.read() as session:
            for result, deployment, is_scheduled, ended in session.execute(wanted.order_by(RunResult.id)):
                point = RunPoint(
                    result.run_id,
                    deployment,
                    is_scheduled,
                    ended,
                    result.status,
                    result.rows,
                    result.bytes,
                    result.seconds,
                )
                found.setdefault(ResourceKey(result.pipeline, result.resource), []).append(point)
        return found

    def current(self, app: str, environment: str) -> CurrentData | None:
        """Return what data an environment has now, or None as long as nothing ran well there."""
        with self._database.read() as session:
            return session.get(CurrentData, (app, environment))

    def forget(self, before: datetime) -> int:
        """Remove runs that ended before a time, and all but the newest HISTORY_RUNS of each environment.

        Return how many went; at most MAX_FORGOTTEN_RUNS do at once, so that others' writing does not wait.
        """
        place = [EndedRun.app, EndedRun.environment]
        newest = func.row_number().over(partition_by=place, order_by=EndedRun.id.desc())
        ranked = select(EndedRun.id, EndedRun.ended, newest.label("number")).subquery()
        over = select(ranked.c.id).where((ranked.c.number > HISTORY_RUNS) | (ranked.c.ended < before))
        with self._database.read() as session:
            ids = session.scalars(over.order_by(ranked.c.id).limit(MAX_FORGOTTEN_RUNS)).all()
        if ids:
            with self._database.write() as session:
                session.execute(delete(RunResult).where(RunResult.run_id.in_(ids)))
                session.execute(delete(EndedRun).where(EndedRun.id.in_(ids)))
        return len(ids)


def _newest(app: str, environment: str, limit: int) -> Select[EndedRun]:
    of_environment = (EndedRun.app == app) & (EndedRun.environment == environment)
    return select(EndedRun).where(of_environment).order_by(EndedRun.id.desc()).limit(limit)
