"""What the bot remembers, behind one object: deliveries, deployments, requests, images, tags, what GitHub was told.

What is deployed is decided from git; of what is here only holds, requests and the tags' times take part in that.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import func, select

from bot.store.deliveries import Deliveries
from bot.store.deployment_changes import CHANGES
from bot.store.github_notices import GitHubNotices
from bot.store.images import BuiltImages
from bot.store.pending_builds import ImageBuilds
from bot.store.requests import DeployRequests
from bot.store.tables import Delivery, Deployment, DeployRequest, Total
from bot.store.tags import Tags


@dataclass(frozen=True)
class Counts:
    """For /metrics."""

    deliveries: dict[str, int]  # by state
    deployments: dict[str, int]  # by state
    queue: int  # deliveries and requests that wait for the bot
    totals: dict[str, float]  # what `add_totals` added up


class Store(Deliveries, ImageBuilds, DeployRequests, BuiltImages, Tags, GitHubNotices):
    """The tables, behind what the bot and the receiver say."""

    def counts(self) -> Counts:
        """How many there are of each."""
        with self._reads() as session:
            deliveries, deployments, requests = (
                dict(iter(session.execute(select(of, func.count()).group_by(of))))
                for of in (Delivery.state, Deployment.state, DeployRequest.state)
            )
            totals = {one.name: one.value for one in session.scalars(select(Total).where(Total.name != CHANGES))}
        queue = deliveries.get("received", 0) + requests.get("waiting", 0)
        return Counts(deliveries, deployments, queue, totals)

    def add_totals(self, more: Mapping[str, float]) -> None:
        """Count."""
        with self._writes() as session:
            for name, value in sorted(more.items()):
                insert = self._insert(Total).values(name=name, value=value)
                grown = {"value": Total.value + insert.excluded.value}
                session.connection().execute(insert.on_conflict_do_update(index_elements=[Total.name], set_=grown))
