"""Deployments as lists show them: filtered, a page at a time, without what only a deployment's own page needs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, func, select

from bot.database import Database
from bot.store.deployments import LISTED
from bot.store.tables import ENDED, Deployment, DeploymentEvent


@dataclass(frozen=True)
class DeploymentFilter:
    """Which deployments are meant; None: any."""

    app: str | None = None
    environment: str | None = None
    state: str | None = None  # a State

    def __bool__(self) -> bool:
        return any((self.app, self.environment, self.state))


@dataclass(frozen=True)
class DeploymentPage:
    """Some of the deployments that are meant, newest first.

    ended: when each of them that is over came to its end, by id. number: counted from 1; size: of a full page.
    """

    deployments: Sequence[Deployment]
    ended: Mapping[int, datetime]
    number: int
    size: int
    total: int

    @property
    def first(self) -> int:
        """Return which of all the first one here is, counted from 1; 0: there is none."""
        return (self.number - 1) * self.size + 1 if self.deployments else 0

    @property
    def last(self) -> int:
        """Return which of all the last one here is."""
        return (self.number - 1) * self.size + len(self.deployments) if self.deployments else 0

    @property
    def has_next(self) -> bool:
        """Return whether there are older ones."""
        return self.number * self.size < self.total


class DeploymentLists:
    """Reads lists of deployments."""

    def __init__(self, database: Database) -> None:
        """Read from `database`."""
        self._database = database

    def page(self, wanted: DeploymentFilter, number: int, size: int) -> DeploymentPage:
        """Return a page of the deployments that are meant, as LISTED; one beyond the last is empty."""
        meant = _conditions(wanted)
        listed = select(Deployment).where(*meant).options(*LISTED).order_by(Deployment.id.desc())
        with self._database.read() as session:
            total = session.scalar(select(func.count(Deployment.id)).where(*meant)) or 0
            found = session.scalars(listed.limit(size).offset((number - 1) * size)).all() if total else []
            ids = [deployment.id for deployment in found if deployment.ended]
            ends = dict(iter(session.execute(_ends(ids)))) if ids else {}
        return DeploymentPage(found, ends, number, size, total)

    def latest(
        self, app: str | None = None, environment: str | None = None, *, failed: bool = False
    ) -> Deployment | None:
        """Return the newest deployment, as LISTED: of all, or of an app and environment; `failed`: that failed.

        What was skipped, or is resolved, ran nothing and does not count.
        """
        meant = _conditions(DeploymentFilter(app, environment, "failed" if failed else None))
        wanted = select(Deployment).where(*meant, Deployment.state.not_in(("skipped", "resolved")))
        with self._database.read() as session:
            return session.scalar(wanted.options(*LISTED).order_by(Deployment.id.desc()).limit(1))

    def refused_configurations(self, limit: int) -> Sequence[Deployment]:
        """Return the newest whole `.dppctl.yaml` files that are refused, newest first, as LISTED."""
        wanted = select(Deployment).where(Deployment.state == "refused", Deployment.environment == "")
        with self._database.read() as session:
            return session.scalars(wanted.options(*LISTED).order_by(Deployment.id.desc()).limit(limit)).all()


def _ends(ids: Sequence[int]) -> Select[int, datetime]:
    """Return what asks when deployments ended: `changed` goes on, as runs by the clock come after."""
    event = DeploymentEvent
    wanted = select(event.deployment_id, func.max(event.time)).group_by(event.deployment_id)
    return wanted.where(event.deployment_id.in_(ids), event.phase.in_(ENDED))


def _conditions(wanted: DeploymentFilter) -> list[ColumnElement[bool]]:
    given = (
        (Deployment.app, wanted.app),
        (Deployment.environment, wanted.environment),
        (Deployment.state, wanted.state),
    )
    return [column == value for column, value in given if value is not None]
