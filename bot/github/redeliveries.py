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
    """One try of GitHub's to deliver. Those of one delivery have its guid in common."""

    id: int
    guid: str
    event: str
    delivered: datetime
    is_again: bool
    is_ok: bool

    @classmethod
    def parse(cls, answer: dict[str, Any]) -> "Attempt":
        """As GitHub lists it."""
        return cls(
            answer["id"],
            answer["guid"],
            answer["event"],
            datetime.fromisoformat(answer["delivered_at"]),
            answer["redelivery"],
            200 <= answer["status_code"] < 300,
        )


def lost(attempts: Iterable[Attempt], now: datetime) -> list[Attempt]:
    """The last attempt of each delivery that never arrived, is recent, and was not asked for often."""
    found = []
    ordered = sorted(attempts, key=lambda one: (one.guid, one.delivered, one.id))
    for _, group in groupby(ordered, key=lambda one: one.guid):
        tries = list(group)
        again = sum(one.is_again for one in tries)
        is_recent = tries[0].delivered > now - timedelta(hours=REDELIVER_HOURS)
        if tries[0].event != "ping" and is_recent and again < REDELIVER_TIMES and not any(one.is_ok for one in tries):
            found.append(tries[-1])
    return sorted(found, key=lambda one: one.id)


def to_ask_for(attempts: Iterable[Attempt], settled: Set[str], now: datetime) -> list[Attempt]:
    """Of the lost ones those that the store does not have: it may have them though our answer was lost."""
    return [one for one in lost(attempts, now) if one.guid not in settled]
