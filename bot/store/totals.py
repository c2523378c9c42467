"""Numbers that only grow, such as how often git was called; one of them counts the changes that pages show."""

from collections.abc import Mapping

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from bot.database import Database, upsert
from bot.store.tables import Total

_CHANGES = "changes"  # the first migration makes its row


class Totals:
    """Numbers by name."""

    def __init__(self, database: Database) -> None:
        """Keep totals in `database`."""
        self._database = database

    def add(self, amounts: Mapping[str, float]) -> None:
        """Add amounts to the totals of these names; a new name begins at 0."""
        with self._database.write() as session:
            for name, amount in sorted(amounts.items()):
                upsert(session, Total, {"name": name}, {"value": amount}, update={"value": Total.value + amount})

    def read(self) -> dict[str, float]:
        """Return all totals by name, without the number of changes."""
        with self._database.read() as session:
            return {total.name: total.value for total in session.scalars(select(Total).where(Total.name != _CHANGES))}

    def change_number(self) -> int:
        """Return a number that grows with every change to deployments, their events and logs, and holds."""
        with self._database.read() as session:
            return int(session.scalar(select(Total.value).where(Total.name == _CHANGES)) or 0)


def count_change(session: Session) -> None:
    """Move the change number. Call it last in a transaction: on PostgreSQL others wait here until that is over."""
    session.execute(update(Total).where(Total.name == _CHANGES).values(value=Total.value + 1))
