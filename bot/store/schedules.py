"""Which pipelines of what is deployed run by the clock, as sync reported it last."""

from collections.abc import Mapping, Sequence

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from bot.database import Database, upsert
from bot.model.next_runs import PipelineSchedule
from bot.store.tables import DeployedSchedule


class DeployedSchedules:
    """At most one list for each environment of an app."""

    def __init__(self, database: Database) -> None:
        """Read lists from `database`."""
        self._database = database

    def get(self, app: str, environment: str) -> tuple[PipelineSchedule, ...]:
        """Return those of an environment."""
        with self._database.read() as session:
            found = session.get(DeployedSchedule, (app, environment))
            return _read(found) if found else ()

    def all(self) -> Mapping[tuple[str, str], tuple[PipelineSchedule, ...]]:
        """Return all of them by app and environment."""
        with self._database.read() as session:
            return {(row.app, row.environment): _read(row) for row in session.scalars(select(DeployedSchedule))}


def note_schedules(session: Session, app: str, environment: str, schedules: Sequence[PipelineSchedule]) -> None:
    """Keep what sync says of an environment, within the transaction of its report."""
    place = {"app": app, "environment": environment}
    if schedules:
        row = {"pipelines": [known.model_dump() for known in schedules]}
        upsert(session, DeployedSchedule, place, row, update=row)
    else:
        session.execute(delete(DeployedSchedule).filter_by(**place))


def _read(row: DeployedSchedule) -> tuple[PipelineSchedule, ...]:
    return tuple(map(PipelineSchedule.model_validate, row.pipelines))
