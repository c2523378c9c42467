"""Webhook deliveries: each is recorded before it is answered, and taken once."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, Literal

from sqlalchemy import delete, select, update

from bot.database import Database
from bot.limits import MAX_NAMED_DELIVERIES
from bot.model.webhook_events import Event, RefEvent, Status
from bot.store.tables import Delivery, DeliveryState


@dataclass(frozen=True)
class NewDelivery:
    """A delivery as it comes in. `ignored` is why the bot has nothing to do; None: it has."""

    id: str
    event: Event
    ignored: str | None = None

    @property
    def state(self) -> DeliveryState:
        """Return the state that the delivery begins in."""
        return "received" if self.ignored is None else "ignored"


# `again`: its id was seen before and had failed; it is processed once more.
Arrival = Literal["new", "again", "seen"]


class Deliveries:
    """Deliveries, from their arrival to what the bot did about them."""

    def __init__(self, database: Database) -> None:
        """Keep deliveries in `database`."""
        self._database = database
        # Made once, and run without a session: every delivery waits for this.
        self._insert_new = database.insert(Delivery).on_conflict_do_nothing().returning(Delivery.id)

    def record(self, id: str, event: Event, ignored: str | None = None) -> Arrival:  # noqa: A002
        """Record a delivery. Return whether it is new. `ignored`: why the bot has nothing to do."""
        return self.record_all([NewDelivery(id, event, ignored)])[0]

    def record_all(self, deliveries: Sequence[NewDelivery]) -> list[Arrival]:
        """Record deliveries, in one transaction. Return whether each of them is new, in their order."""
        now = datetime.now(UTC)
        # In one order, so that two who do this never block each other.
        rows = [_row(delivery, now) for delivery in sorted(deliveries, key=attrgetter("id"))]
        arrivals: list[Arrival] = []
        with self._database.write_connection() as connection:
            inserted = set(connection.scalars(self._insert_new, rows))
            for delivery in deliveries:
                if delivery.id in inserted:
                    inserted.remove(delivery.id)
                    arrivals.append("new")
                    continue
                failed = (Delivery.id == delivery.id) & (Delivery.state == "failed")
                values = {"state": delivery.state, "reason": delivery.ignored, "received": now, "finished": None}
                again = connection.execute(update(Delivery).where(failed).values(values)).rowcount
                arrivals.append("again" if again else "seen")
        return arrivals

    def take(self, limit: int = 1000) -> Sequence[Delivery]:
        """Return the deliveries that wait for the bot, oldest first. They wait until `finish`, also after a crash."""
        waiting = select(Delivery).where(Delivery.state == "received").order_by(Delivery.received).limit(limit)
        with self._database.read() as session:
            return session.scalars(waiting).all()

    def finish(self, ids: Iterable[str], state: DeliveryState, reason: str | None = None) -> None:
        """Record what the bot did about deliveries that waited."""
        taken = Delivery.id.in_(list(ids)) & (Delivery.state == "received")
        values = {"state": state, "reason": reason, "finished": datetime.now(UTC)}
        with self._database.write() as session:
            session.execute(update(Delivery).where(taken).values(values))

    def of_push(self, repository: str, ref: str, commit: str) -> list[str]:
        """Return the ids of the deliveries that told of this commit on this ref, or of an annotated tag on it.

        The newest MAX_NAMED_DELIVERIES; those of a tag are known by its name, for they name the tag's own id.
        """
        about = (Delivery.repository == repository) & (Delivery.ref == ref)
        if not ref.startswith("refs/tags/"):
            about &= Delivery.after == commit
        newest = select(Delivery.id).where(about).order_by(Delivery.received.desc()).limit(MAX_NAMED_DELIVERIES)
        with self._database.read() as session:
            return list(session.scalars(newest))[::-1]

    def settled(self, ids: Iterable[str]) -> set[str]:
        """Return those of these ids that have arrived and did not fail."""
        known = Delivery.id.in_(list(ids)) & (Delivery.state != "failed")
        with self._database.read() as session:
            return set(session.scalars(select(Delivery.id).where(known)))

    def failed(self) -> set[str]:
        """Return the repositories of deliveries that failed, and that no later try has done yet."""
        with self._database.read() as session:
            found = session.scalars(select(Delivery.repository).where(Delivery.state == "failed").distinct())
            return {name for name in found if name}

    def recover(self, repository: str, reason: Callable[[str | None], str | None]) -> None:
        """Record that what failed for a repository has been done after all; `reason`: what to say, by the ref."""
        failed = (Delivery.repository == repository) & (Delivery.state == "failed")
        with self._database.write() as session:
            for delivery in session.scalars(select(Delivery).where(failed).with_for_update()):
                text = reason(delivery.ref)
                delivery.state, delivery.finished = "processed", datetime.now(UTC)
                delivery.reason = f"at a later try: {text}" if text else "at a later try"

    def forget(self, before: datetime) -> None:
        """Remove the records of deliveries that arrived before this time, unless they wait."""
        old = (Delivery.received < before) & (Delivery.state != "received")
        with self._database.write() as session:
            session.execute(delete(Delivery).where(old))

    def newest(self, limit: int = 100) -> Sequence[Delivery]:
        """Return the newest deliveries, newest first."""
        with self._database.read() as session:
            return session.scalars(select(Delivery).order_by(Delivery.received.desc()).limit(limit)).all()


def _row(delivery: NewDelivery, now: datetime) -> dict[str, Any]:
    event = delivery.event
    row: dict[str, Any] = {
        "id": delivery.id,
        "event": event.name,
        "repository": event.repository,
        "ref": None,
        "before": None,
        "after": None,
        "status": None,
        "state": delivery.state,
        "reason": delivery.ignored,
        "received": now,
    }
    match event:
        case RefEvent():
            row |= {"ref": event.ref, "before": event.before, "after": event.after}
        case Status():
            status_text = {"state": event.state, "context": event.context, "description": event.description}
            row |= {"after": event.commit, "status": status_text}
    return row
