"""The part of the store that keeps what people asked for: deployments by hand, and environments that are held."""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import select, update

from bot.store.database import Database
from bot.store.deployment_changes import changed
from bot.store.tables import DeployRequest, Hold, RequestState


class DeployRequests(Database):
    """Requests and holds."""

    def request_deploy(self, app: str, environment: str, ref: str | None = None) -> int:
        """Ask the bot to deploy a branch, tag or commit (None: what it would deploy by itself); the request's id."""
        request = DeployRequest(
            app=app, environment=environment, ref=ref, state="waiting", message="", created=datetime.now(UTC)
        )
        with self._writes() as session:
            session.add(request)
        return request.id

    def deploy_request(self, request_id: int) -> DeployRequest | None:
        """What became of a request."""
        with self._reads() as session:
            return session.get(DeployRequest, request_id)

    def take_requests(self) -> Sequence[DeployRequest]:
        """Those that wait for the bot, the oldest first."""
        waiting = select(DeployRequest).where(DeployRequest.state == "waiting").order_by(DeployRequest.id)
        with self._reads() as session:
            return session.scalars(waiting).all()

    def note_request(self, request_id: int, deployment_id: int) -> None:
        """It waits for its image; the deployment tells how far that is."""
        with self._writes() as session:
            mine = update(DeployRequest).where(DeployRequest.id == request_id)
            session.execute(mine.values(deployment_id=deployment_id))

    def finish_request(
        self, request_id: int, state: RequestState, message: str, deployment_id: int | None = None
    ) -> None:
        """What became of it."""
        done = update(DeployRequest).where(DeployRequest.id == request_id)
        with self._writes() as session:
            session.execute(done.values(state=state, message=message, deployment_id=deployment_id))

    def hold(self, app: str, environment: str, reason: str, until: tuple[str, str] | None = None) -> None:
        """Deploy nothing there automatically until `release`.

        `until` (a ref, the tree of its files): the bot ends the hold when it would deploy something else than that.
        """
        ref, tree = until or (None, None)
        new = {"reason": reason, "since": datetime.now(UTC), "until_ref": ref, "until_tree": tree}
        row = {"app": app, "environment": environment, **new}
        with self._writes() as session:
            there = [Hold.app, Hold.environment]
            insert = self._insert(Hold).values(row)
            session.connection().execute(insert.on_conflict_do_update(index_elements=there, set_=new))
            changed(session)

    def release(self, app: str, environment: str) -> bool:
        """End a hold. False when there is none."""
        with self._writes() as session:
            found = session.get(Hold, (app, environment))
            if found:
                session.delete(found)
                session.flush()
                changed(session)
            return found is not None

    def holds(self) -> Sequence[Hold]:
        """All, sorted."""
        with self._reads() as session:
            return session.scalars(select(Hold).order_by(Hold.app, Hold.environment)).all()
