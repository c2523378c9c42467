"""Deployments that people asked for (`dppctl deploy`), which the bot takes as it takes deliveries."""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import select, update

from bot.database import Database
from bot.store.tables import DeployRequest, RequestState


class Requests:
    """Requests to deploy, each with its answer once there is one."""

    def __init__(self, database: Database) -> None:
        """Keep requests in `database`."""
        self._database = database

    def add(self, app: str, environment: str, ref: str | None = None, *, rebuild: bool = False) -> int:
        """Ask the bot to deploy a branch, tag or commit (None: what it would deploy by itself). Return the id.

        `rebuild`: its image is built anew.
        """
        request = DeployRequest(
            app=app,
            environment=environment,
            ref=ref,
            rebuild=rebuild,
            state="waiting",
            message="",
            created=datetime.now(UTC),
        )
        with self._database.write() as session:
            session.add(request)
        return request.id

    def get(self, request_id: int) -> DeployRequest | None:
        """Return a request with its state and message, or None when the id is unknown."""
        with self._database.read() as session:
            return session.get(DeployRequest, request_id)

    def take(self) -> Sequence[DeployRequest]:
        """Return the requests that wait for the bot, the oldest first. They wait until `finish`."""
        waiting = select(DeployRequest).where(DeployRequest.state == "waiting").order_by(DeployRequest.id)
        with self._database.read() as session:
            return session.scalars(waiting).all()

    def link(self, request_id: int, deployment_id: int) -> None:
        """Name the deployment whose image a request waits for; its state shows how far that is."""
        request = update(DeployRequest).where(DeployRequest.id == request_id)
        with self._database.write() as session:
            session.execute(request.values(deployment_id=deployment_id))

    def finish(self, request_id: int, state: RequestState, message: str, deployment_id: int | None = None) -> None:
        """Answer a request."""
        request = update(DeployRequest).where(DeployRequest.id == request_id)
        with self._database.write() as session:
            session.execute(request.values(state=state, message=message, deployment_id=deployment_id))
