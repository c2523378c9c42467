"""Deployments that wait for an image, before there is an ops commit for them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from sqlalchemy import select

from bot.database import Database
from bot.model.decisions import CommitFacts
from bot.store.deployment_changes import (
    add_event,
    ensure,
    last_event,
    note_facts,
    note_request,
    supersede_older,
    take_over,
)
from bot.store.tables import Deployment
from bot.store.totals import count_change


@dataclass(frozen=True)
class PendingBuild:
    """What an image is built for, before there is an ops commit."""

    app: str
    environment: str
    ref: str
    commit: str
    request: int | None = None  # by hand: each request is tried anew
    facts: CommitFacts | None = None

    @property
    def key(self) -> str:
        """Return the key of the deployment until it has an ops commit."""
        names = ["build", self.app, self.environment, self.ref, self.commit, str(self.request)]
        return hashlib.sha256("\n".join(names).encode()).hexdigest()


class PendingBuilds:
    """The builds that deployments begin with."""

    def __init__(self, database: Database) -> None:
        """Keep builds, which are deployments in the state `building`, in `database`."""
        self._database = database

    def record(self, build: PendingBuild, message: str) -> int:
        """Record how far a build is, superseding older deployments for the environment. Return the deployment's id."""
        with self._database.write() as session:
            take_over(session, build.key, build.app, build.environment, build.ref, build.commit)
            deployment = ensure(session, build.key, None, build.app, build.environment, build.ref, build.commit)
            deployment.state, deployment.error = "building", None
            note_facts(session, deployment, build.facts)
            if build.request is not None:
                note_request(session, deployment, build.request)
            if last_event(session, deployment) != ("building", message):
                add_event(session, deployment, datetime.now(UTC), "building", message)
                supersede_older(session, deployment)
                count_change(session)
            return deployment.id

    def end(self, deployment_id: int, state: Literal["failed", "superseded"], message: str) -> None:
        """End a build that does not come to a deployment. One that has ended meanwhile stays as it is."""
        with self._database.write() as session:
            deployment = session.get_one(Deployment, deployment_id, with_for_update=True)
            if deployment.state == "building":
                deployment.state, deployment.error = state, message if state == "failed" else None
                add_event(session, deployment, datetime.now(UTC), state, message)
                count_change(session)

    def failure(self, build: PendingBuild) -> str | None:
        """Return why this same build failed before, or None. Only another commit helps."""
        failed = (Deployment.key == build.key) & (Deployment.state == "failed")
        with self._database.read() as session:
            return session.scalar(select(Deployment.error).where(failed))

    def of_app(self, app: str) -> Sequence[Deployment]:
        """Return the app's deployments that wait for an image."""
        waiting = (Deployment.app == app) & (Deployment.state == "building")
        with self._database.read() as session:
            return session.scalars(select(Deployment).where(waiting)).all()
