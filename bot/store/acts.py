"""What acts go by, of an app's environments; and what only acts do to deployments."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from sqlalchemy import case, select

from bot.database import Database
from bot.limits import MAX_ACT_DEPLOYMENTS
from bot.model.acts import EnvironmentFacts, HoldFacts, PastDeployment
from bot.model.previews import is_preview
from bot.store.deployment_changes import add_event
from bot.store.preview_tables import Preview
from bot.store.tables import Deployment, Hold
from bot.store.totals import count_change


class Acts:
    """What people do to environments."""

    def __init__(self, database: Database) -> None:
        """Read from, and write to, `database`."""
        self._database = database

    def of_app(self, app: str, environments: Iterable[str] = ()) -> Mapping[str, EnvironmentFacts]:
        """Return an app's environments by name, each with its newest deployments; `environments`: these in any case."""
        is_empty = (Deployment.act == "cancel") & Deployment.origin_id.is_(
            None
        )  # it left an environment without pipelines
        columns = (
            Deployment.id,
            Deployment.ref,
            Deployment.commit,
            case((is_empty, "cancelled"), else_=Deployment.state),
            Deployment.ops_commit.is_not(None),
            Deployment.kept,
            Deployment.origin_id,
        )
        of_app = (Deployment.app == app) & (Deployment.environment != "")
        with self._database.read() as session:
            holds = {hold.environment: hold for hold in session.scalars(select(Hold).where(Hold.app == app))}
            there = {*session.scalars(select(Preview.environment).where(Preview.app == app, Preview.gone.is_(None)))}
            names = {*environments, *holds, *session.scalars(select(Deployment.environment).where(of_app).distinct())}
            found = {}
            for name in sorted(names):
                newest = select(*columns).where(of_app, Deployment.environment == name).order_by(Deployment.id.desc())
                rows = session.execute(newest.limit(MAX_ACT_DEPLOYMENTS)).all()
                past = tuple(PastDeployment(*row) for row in rows)
                found[name] = EnvironmentFacts(
                    app, name, past, _hold_facts(holds.get(name)), is_missing=is_preview(name) and name not in there
                )
        return found

    def of_request(self, request_id: int) -> Deployment | None:
        """Return the deployment that the ops repo has for a request, or None."""
        of_request = (Deployment.request_id == request_id) & Deployment.ops_commit.is_not(None)
        with self._database.read() as session:
            return session.scalar(select(Deployment).where(of_request).order_by(Deployment.id).limit(1))

    def cancel(self, deployment_id: int, request_id: int, message: str) -> bool:
        """Cancel a deployment that has not ended. Return whether it is cancelled by this request, now or before.

        A build that it waits for does not become a deployment any more; what is deployed later is another one.
        """
        with self._database.write() as session:
            found = session.get_one(Deployment, deployment_id, with_for_update=True)
            if not found.ended:
                found.state, found.error, found.cancelled_by = "cancelled", message, request_id
                if found.ops_commit is None:
                    found.key = f"{found.key} {found.id}"
                add_event(session, found, datetime.now(UTC), "cancelled", message)
                count_change(session)
            return found.cancelled_by == request_id


def _hold_facts(hold: Hold | None) -> HoldFacts | None:
    if hold is None:
        return None
    is_by_person = hold.until_ref is None and hold.ops_commit is None
    return HoldFacts(hold.reason, hold.since, hold.login or hold.by or "", hold.until, is_by_person)
