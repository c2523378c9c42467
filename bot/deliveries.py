"""The part of the store that keeps deliveries: each is written down before it is answered, and taken once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Literal

from sqlalchemy import Executable, select, update

from bot.database import Database
from bot.tables import Delivery, DeliveryState


@dataclass(frozen=True)
class NewDelivery:
    """A delivery as it comes in. `ignored` is why there is nothing to do; None: the bot is to look."""

    id: str
    event: str
    repository: str | None = None  # as registered
    ref: str | None = None
    before: str | None = None
    after: str | None = None
    ignored: str | None = None


class Deliveries(Database):
    """Deliveries."""

    def receive(self, new: NewDelivery) -> Literal["new", "again", "seen"]:
        """Remember a delivery. `again`: its id was seen before and had failed; it is processed once more."""
        state: DeliveryState = "ignored" if new.ignored is not None else "received"
        now = datetime.now(UTC)
        row = {**vars(new), "state": state, "reason": new.ignored, "received": now}
        del row["ignored"]
        with self._writing.begin() as connection:
            if connection.scalar(self._new_delivery, row):
                return "new"
            failed = (Delivery.id == new.id) & (Delivery.state == "failed")
            again = update(Delivery).where(failed).values(state=state, reason=new.ignored, received=now, finished=None)
            return "again" if connection.execute(again).rowcount else "seen"

    @cached_property
    def _new_delivery(self) -> Executable:
        # Made once, and run without a session: that is a third of the time, and this is what every delivery waits for.
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

    def deliveries(self, limit: int = 100) -> Sequence[Delivery]:
        """The newest first."""
        with self._reads() as session:
            return session.scalars(select(Delivery).order_by(Delivery.received.desc()).limit(limit)).all()
