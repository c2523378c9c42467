"""The part of the store that keeps deployments which wait for an image."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.store.deployment_changes import changed, note, now, supersede
from bot.store.deployments import Deployments
from bot.store.tables import Deployment, DeploymentEvent


@dataclass(frozen=True)
class ImageFor:
    """What an image is built for, before there is an ops commit."""

    app: str
    environment: str
    ref: str
    commit: str
    request: int | None = None  # by hand: each request is tried anew

    @property
    def key(self) -> str:
        """The deployment's, until it has an ops commit."""
        return hashlib.sha256("\n".join(["build", *map(str, vars(self).values())]).encode()).hexdigest()


class ImageBuilds(Deployments):
    """Deployments, and the builds that they begin with."""

    def record_build(self, wanted: ImageFor, message: str) -> int:
        """How far the image for a deployment is; its id. Older ones for the environment are superseded."""
        with self._writes() as session:
            place = (wanted.app, wanted.environment, wanted.ref, wanted.commit)
            deployment = self._ensure(session, wanted.key, None, *place)
            deployment.state, deployment.error = "building", None
            if _last_message(session, deployment) != ("building", message):
                note(session, deployment, now(), "building", message)
                supersede(session, deployment)
                changed(session)
            return deployment.id

    def end_build(self, deployment_id: int, state: Literal["failed", "superseded"], message: str) -> None:
        """It does not come to a deployment. One that has ended meanwhile stays as it is."""
        with self._writes() as session:
            deployment = session.get_one(Deployment, deployment_id, with_for_update=True)
            if deployment.state == "building":
                deployment.state, deployment.error = state, message if state == "failed" else None
                note(session, deployment, now(), state, message)
                changed(session)

    def failed_build(self, wanted: ImageFor) -> str | None:
        """Why the same was not built before: only another commit helps."""
        failed = (Deployment.key == wanted.key) & (Deployment.state == "failed")
        with self._reads() as session:
            return session.scalar(select(Deployment.error).where(failed))

    def building(self, app: str) -> Sequence[Deployment]:
        """The app's deployments that wait for an image."""
        mine = (Deployment.app == app) & (Deployment.state == "building")
        with self._reads() as session:
            return session.scalars(select(Deployment).where(mine)).all()


def _last_message(session: Session, deployment: Deployment) -> tuple[str, str] | None:
    events = select(DeploymentEvent.phase, DeploymentEvent.message).where(
        DeploymentEvent.deployment_id == deployment.id
    )
    found = session.execute(events.order_by(DeploymentEvent.id.desc()).limit(1)).first()
    return (found[0], found[1]) if found else None
