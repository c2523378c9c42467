"""The part of the store that keeps deliveries: each is written down before it is answered, and taken once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from operator import attrgetter
from typing import Any, Literal

from sqlalchemy import Executable, delete, select, update

from bot.store.database import Database
from bot.store.tables import Delivery, DeliveryState


@dataclass(frozen=True)
class NewDelivery:
    """A delivery as it comes in. `ignored` is why there is nothing to do; None: the bot is to look."""

    id: str
    event: str
    repository: str | None = None  # as registered
    ref: str | None = None
    before: str | None = None
    after: str | None = None
    status: dict[str, Any] | None = None  # of a `status` event: context, state, description
    ignored: str | None = None

    @property
    def state(self) -> DeliveryState:
        """Its first one."""
        return "received" if self.ignored is None else "ignored"


# `again`: its id was seen before and had failed; it is processed once more.
Arrival = Literal["new", "again", "seen"]


class Deliveries(Database):
    """Deliveries."""

    def receive(self, new: NewDelivery) -> Arrival:
        """Remember a delivery."""
        return self.receive_all([new])[0]

    def receive_all(self, new: Sequence[NewDelivery]) -> list[Arrival]:
        """Remember deliveries, in one transaction; what each of them is, in their order."""
        now = datetime.now(UTC)
        rows = [
            {
                "id": one.id,
                "event": one.event,
                "repository": one.repository,
                "ref": one.ref,
                "before": one.before,
                "after": one.after,
                "status": one.status,
                "state": one.state,
                "reason": one.ignored,
                "received": now,
            }
            for one in sorted(new, key=attrgetter("id"))  # in one order, so that two who do this never block each other
        ]
        arrivals: list[Arrival] = []
        with self._writing.begin() as connection:
            made = set(connection.scalars(self._new_deliveries, rows))
            for one in new:
                if one.id in made:
                    made.remove(one.id)
                    arrivals.append("new")
                    continue
                failed = (Delivery.id == one.id) & (Delivery.state == "failed")
                values = {"state": one.state, "reason": one.ignored, "received": now, "finished": None}
                again = connection.execute(update(Delivery).where(failed).values(values)).rowcount
                arrivals.append("again" if again else "seen")
        return arrivals

    @cached_property
    def _new_deliveries(self) -> Executable:
        # Made once, and run without a session: every delivery waits for this.
        return self._insert(Delivery).on_conflict_do_nothing().returning(Delivery.id)

    def take_deliveries(self, limit: int = 1000) -> Sequence[Delivery]:
        """Those that wait for the bot, the oldest first. They wait until `finish_deliveries`, also after a crash."""
        waiting = select(Delivery).where(Delivery.state == "received").order_by(Delivery.received).limit(limit)
        with self._reads() as session:
            return session.scalars(waiting).all()

    def finish_deliveries(self, ids: Iterable[str], state: DeliveryState, reason: str | None = None) -> None:
        """What became of them."""
        mine = Delivery.id.in_(list(ids)) & (Delivery.state == "received")
        with self._writes() as session:
            session.execute(update(Delivery).where(mine).values(state=state, reason=reason, finished=datetime.now(UTC)))

    def settled_deliveries(self, ids: Iterable[str]) -> set[str]:
        """Those that are here already and did not fail."""
        mine = Delivery.id.in_(list(ids)) & (Delivery.state != "failed")
        with self._reads() as session:
            return set(session.scalars(select(Delivery.id).where(mine)))

    def recover_deliveries(self, repository: str) -> None:
        """What failed for this repository has been done after all."""
        mine = (Delivery.repository == repository) & (Delivery.state == "failed")
        done = {"state": "processed", "reason": "at a later try", "finished": datetime.now(UTC)}
        with self._writes() as session:
            session.execute(update(Delivery).where(mine).values(done))

    def forget_deliveries(self, before: datetime) -> None:
        """Remove the records of what was done with long ago."""
        old = (Delivery.received < before) & (Delivery.state != "received")
        with self._writes() as session:
            session.execute(delete(Delivery).where(old))

    def deliveries(self, limit: int = 100) -> Sequence[Delivery]:
        """The newest first."""
        with self._reads() as session:
            return session.scalars(select(Delivery).order_by(Delivery.received.desc()).limit(limit)).all()
