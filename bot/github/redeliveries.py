"""Webhook deliveries that never arrived: GitHub keeps them for some days and sends one again when it is asked to.

https://docs.github.com/en/webhooks/testing-and-troubleshooting-webhooks/redelivering-webhooks
"""

from collections.abc import Iterable, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from bot.limits import REDELIVER_HOURS, REDELIVER_TIMES


@dataclass(frozen=True)
class Attempt:
    """A try of GitHub's to deliver. Those of one delivery have its guid in common."""

    id: int
    guid: str
    event: str
    delivered: datetime
    is_again: bool
    is_ok: bool

    @classmethod
    def parse(cls, answer: dict[str, Any]) -> "Attempt":
        """Read an attempt as GitHub lists it."""
        return cls(
            answer["id"],
            answer["guid"],
            answer["event"],
            datetime.fromisoformat(answer["delivered_at"]),
            answer["redelivery"],
            200 <= answer["status_code"] < 300,
        )


def lost(attempts: Iterable[Attempt], now: datetime) -> list[Attempt]:
    """Return the last attempt of each delivery that never arrived, is recent, and was not asked for often."""
    found = []
    ordered = sorted(attempts, key=lambda attempt: (attempt.guid, attempt.delivered, attempt.id))
    for _, group in groupby(ordered, key=lambda attempt: attempt.guid):
        tries = list(group)
        again = sum(attempt.is_again for attempt in tries)
        is_recent = tries[0].delivered > now - timedelta(hours=REDELIVER_HOURS)
        arrived = tries[0].event == "ping" or any(attempt.is_ok for attempt in tries)
        if not arrived and is_recent and again < REDELIVER_TIMES:
            found.append(tries[-1])
    return sorted(found, key=lambda attempt: attempt.id)


def to_ask_for(attempts: Iterable[Attempt], settled: Set[str], now: datetime) -> list[Attempt]:
    """Return the lost ones that the store does not have: it may have them though our answer was lost."""
    return [attempt for attempt in lost(attempts, now) if attempt.guid not in settled]
