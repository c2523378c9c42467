"""What the store knows of an app's environments, as acts go by it."""

from collections.abc import Iterable, Mapping

from sqlalchemy import select

from bot.database import Database
from bot.limits import MAX_ACT_DEPLOYMENTS
from bot.model.acts import EnvironmentFacts, HoldFacts, PastDeployment
from bot.store.tables import Deployment, Hold


class ActFacts:
    """Reads what `plan_act` decides from."""

    def __init__(self, database: Database) -> None:
        """Read from `database`."""
        self._database = database

    def of_app(self, app: str, environments: Iterable[str] = ()) -> Mapping[str, EnvironmentFacts]:
        """Return an app's environments by name, each with its newest deployments; `environments`: these in any case."""
        columns = (
            Deployment.id,
            Deployment.ref,
            Deployment.commit,
            Deployment.state,
            Deployment.ops_commit.is_not(None),
            Deployment.kept,
            Deployment.origin_id,
        )
        of_app = (Deployment.app == app) & (Deployment.environment != "")
        with self._database.read() as session:
            holds = {hold.environment: hold for hold in session.scalars(select(Hold).where(Hold.app == app))}
            names = {*environments, *holds, *session.scalars(select(Deployment.environment).where(of_app).distinct())}
            found = {}
            for name in sorted(names):
                newest = select(*columns).where(of_app, Deployment.environment == name).order_by(Deployment.id.desc())
                rows = session.execute(newest.limit(MAX_ACT_DEPLOYMENTS)).all()
                past = tuple(PastDeployment(*row) for row in rows)
                found[name] = EnvironmentFacts(app, name, past, _hold_facts(holds.get(name)))
        return found


def _hold_facts(hold: Hold | None) -> HoldFacts | None:
    if hold is None:
        return None
    is_by_person = hold.until_ref is None and hold.ops_commit is None
    return HoldFacts(hold.reason, hold.since, hold.login or hold.by or "", hold.until, is_by_person)
