"""Decide from plain data what people are to be told of an environment, and have not been told yet. Pure.

Level-triggered like the rest: what an environment is now counts. So what came and went while nothing could be sent is
never told, and what was told is told once.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, get_args

Kind = Literal["failed", "recovered", "held", "waiting", "change", "silent"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class EndedAttempt:
    """A deployment or a run by the clock that has ended, or was refused.

    key: tells it from all others; text: the first line of why it failed, or what changed in the data; rows_before,
    rows: of the data before and after it, None where that is not known; columns_gone: how many are not there any more.
    """

    key: str
    deployment: int
    is_fine: bool
    ended: datetime
    text: str
    is_scheduled: bool = False
    rows_before: int | None = None
    rows: int | None = None
    columns_gone: int = 0


@dataclass(frozen=True)
class EnvironmentNow:
    """What an environment is; `ended`: what ended last, after the one of `before`."""

    app: str
    environment: str
    ended: EndedAttempt | None = None
    before: EndedAttempt | None = None
    succeeded: datetime | None = None  # when something did last
    held: tuple[datetime, str] | None = None  # since when, and why
    waiting: tuple[int, str] | None = None  # which deployment, for which environment


@dataclass(frozen=True)
class AlertRules:
    """What people want to be told: which kinds; from which change of the rows on, in percent; after how many days."""

    kinds: frozenset[Kind] = frozenset(KINDS)
    change_percent: float = 20.0
    silent_days: float = 0.0  # 0: never


@dataclass(frozen=True)
class Alert:
    """What is to be told; key: what it is about, so that it is told once."""

    kind: Kind
    key: str
    title: str
    text: str
    deployment: int | None = None


@dataclass(frozen=True)
class SentAlerts:
    """What was told of an environment, by kind; `since`: nothing that was over before is news."""

    since: datetime
    keys: Mapping[str, str] = field(default_factory=dict)


def decide_alerts(now: EnvironmentNow, told: SentAlerts, rules: AlertRules, time: datetime) -> Iterator[Alert]:
    """Yield what is to be told."""
    for alert in _all(now, told, rules, time):
        if alert.kind in rules.kinds and told.keys.get(alert.kind) != alert.key:
            yield alert


def over(now: EnvironmentNow, told: SentAlerts) -> list[str]:
    """Return the kinds that were told and are over, so that the next one is news."""
    gone = {"held": now.held is None, "waiting": now.waiting is None}
    return [kind for kind, is_over in gone.items() if is_over and kind in told.keys]


def _all(now: EnvironmentNow, told: SentAlerts, rules: AlertRules, time: datetime) -> Iterator[Alert]:
    place, ended = f"{now.environment} of {now.app}", now.ended
    if ended and ended.ended >= told.since:
        if not ended.is_fine and not _is_known(ended, now.before):
            yield Alert("failed", ended.key, f"{place} failed", ended.text, ended.deployment)
        if ended.is_fine and "failed" in told.keys and told.keys.get("recovered") != told.keys["failed"]:
            yield Alert("recovered", told.keys["failed"], f"{place} works again", ended.text, ended.deployment)
        if ended.is_fine and _is_big(ended, rules):
            yield Alert("change", ended.key, f"{place}: the data changed a lot", ended.text, ended.deployment)
    if now.held and now.held[0] >= told.since:
        yield Alert("held", now.held[0].isoformat(), f"{place} is held", now.held[1])
    if now.waiting:
        deployment, waits_for = now.waiting
        yield Alert("waiting", str(deployment), f"{place} waits", f"it waits for {waits_for}", deployment)
    last = now.succeeded or told.since
    if rules.silent_days and time - last >= timedelta(days=rules.silent_days):
        since = "since" if now.succeeded else "ever; watched since"
        text = f"nothing has succeeded {since} {last:%Y-%m-%d %H:%M} UTC"
        yield Alert("silent", last.isoformat(), f"{place}: no success for {rules.silent_days:g} days", text)


def _is_known(ended: EndedAttempt, before: EndedAttempt | None) -> bool:
    """Tell whether it is the same trouble still: a run by the clock that fails again and again is told once."""
    return ended.is_scheduled and before is not None and not before.is_fine


def _is_big(ended: EndedAttempt, rules: AlertRules) -> bool:
    if ended.columns_gone:
        return True
    if not ended.rows_before or ended.rows is None:
        return False
    return abs(ended.rows - ended.rows_before) * 100 >= rules.change_percent * ended.rows_before
