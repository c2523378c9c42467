"""What people asked the bot to do (`dppctl deploy`, `rollback` …), which it takes as it takes deliveries."""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from bot.database import Database
from bot.limits import MAX_ACT_REASON
from bot.model.acts import Act
from bot.output import one_line
from bot.store.tables import DeployRequest, RequestState
from bot.store.totals import count_change


class Requests:
    """Requests to act on an environment, each with its answer once there is one."""

    def __init__(self, database: Database) -> None:
        """Keep requests in `database`."""
        self._database = database

    def add(
        self,
        app: str,
        environment: str,
        act: Act = "deploy",
        *,
        by: str,
        login: str | None = None,
        reason: str = "",
        ref: str | None = None,
        rebuild: bool = False,
        accept: bool = False,
        from_environment: str | None = None,
        to_deployment: int | None = None,
        deployment: int | None = None,
        until: datetime | None = None,
        run: bool = False,
        form: str | None = None,
    ) -> int:
        """Ask the bot to act on an environment. Return the request's id.

        by: PROVIDER:SUBJECT of who asks, and `login` the same for people; reason: their message, kept as one line.
        deploy: a branch, tag or commit `ref` (None: what it would deploy by itself), with `rebuild` in an image that is
        built anew. deploy, retry: with `accept` whatever is expected of the data. promote: `from_environment`, and of
        its deployments `to_deployment` (None: what runs). rollback: `to_deployment` (None: what ran before), with `run`
        anew. cancel, retry: `deployment`. hold: `until` then, or until it is released. form: an id; what is asked for
        again with it is not asked twice.
        """
        request = DeployRequest(
            app=app,
            environment=environment,
            act=act,
            by=by,
            login=login,
            reason=one_line(reason, MAX_ACT_REASON),
            ref=ref,
            rebuild=rebuild,
            accept=accept,
            from_environment=from_environment,
            to_deployment=to_deployment,
            deployment=deployment,
            until=until,
            run=run,
            form=form,
            state="waiting",
            message="",
            created=datetime.now(UTC),
        )
        try:
            with self._database.write() as session:
                session.add(request)
                count_change(session)
        except IntegrityError:
            if form is None or (asked := self.of_form(form)) is None:
                raise
            return asked.id
        return request.id

    def of_form(self, form: str) -> DeployRequest | None:
        """Return the request that a form has made, or None."""
        with self._database.read() as session:
            return session.scalar(select(DeployRequest).where(DeployRequest.form == form))

    def get(self, request_id: int) -> DeployRequest | None:
        """Return a request with its state and message, or None when the id is unknown."""
        with self._database.read() as session:
            return session.get(DeployRequest, request_id)

    def newest(
        self, app: str | None = None, environment: str | None = None, limit: int = 20
    ) -> Sequence[DeployRequest]:
        """Return the newest requests, newest first; of an app or environment only."""
        wanted = select(DeployRequest).order_by(DeployRequest.id.desc()).limit(limit)
        if app is not None:
            wanted = wanted.where(DeployRequest.app == app)
        if environment is not None:
            wanted = wanted.where(DeployRequest.environment == environment)
        with self._database.read() as session:
            return session.scalars(wanted).all()

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
            count_change(session)
