"""What the bot remembers, behind one object with a part for each subject.

What is deployed is decided from git; of what is kept here only holds, requests and the tags' times take part in that.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select

from bot.database import Database
from bot.limits import DELIVERY_DAYS, HISTORY_DAYS
from bot.store.acts import Acts
from bot.store.alerts import Alerts
from bot.store.deliveries import Deliveries
from bot.store.deployment_lists import DeploymentLists
from bot.store.deployments import Deployments
from bot.store.gates import Gates
from bot.store.github_notices import Notices
from bot.store.history import History
from bot.store.holds import Holds
from bot.store.images import Images
from bot.store.pending_builds import PendingBuilds
from bot.store.previews import Previews
from bot.store.requests import Requests
from bot.store.schedules import DeployedSchedules
from bot.store.settled_apps import SettledApps
from bot.store.tables import SCHEMA, Delivery, Deployment, DeployRequest
from bot.store.tags import Tags
from bot.store.totals import Totals


@dataclass(frozen=True)
class StoreCounts:
    """How many records are in each state, for /metrics."""

    deliveries: Mapping[str, int]  # by state
    deployments: Mapping[str, int]  # by state
    queue: int  # deliveries and requests that wait for the bot
    totals: Mapping[str, float]  # by name, see bot.store.totals


class Store:
    """The bot's memory. Safe to use from several threads; several processes may open the same database."""

    def __init__(self, url: str) -> None:
        """Open the database at an SQLAlchemy URL, creating it when it is new. Raises DppctlError when that fails."""
        self.database = Database(url, SCHEMA)
        self.deliveries = Deliveries(self.database)
        self.deployments = Deployments(self.database)
        self.gates = Gates(self.database)
        self.history = History(self.database)
        self.lists = DeploymentLists(self.database)
        self.builds = PendingBuilds(self.database)
        self.images = Images(self.database)
        self.requests = Requests(self.database)
        self.acts = Acts(self.database)
        self.alerts = Alerts(self.database)
        self.holds = Holds(self.database)
        self.previews = Previews(self.database)
        self.tags = Tags(self.database)
        self.schedules = DeployedSchedules(self.database)
        self.settled = SettledApps(self.database)
        self.notices = Notices(self.database)
        self.totals = Totals(self.database)

    def close(self) -> None:
        """Close all connections."""
        self.database.close()

    def forget(self, now: datetime) -> None:
        """Remove records that nobody asks for any more: of deliveries, and of runs."""
        self.deliveries.forget(now - timedelta(days=DELIVERY_DAYS))
        self.history.forget(now - timedelta(days=HISTORY_DAYS))

    def counts(self) -> StoreCounts:
        """Count the deliveries and deployments by state and what waits for the bot."""
        with self.database.read() as session:
            deliveries, deployments, requests = (
                dict(iter(session.execute(select(state, func.count()).group_by(state))))
                for state in (Delivery.state, Deployment.state, DeployRequest.state)
            )
        queue = deliveries.get("received", 0) + requests.get("waiting", 0)
        return StoreCounts(deliveries, deployments, queue, self.totals.read())
