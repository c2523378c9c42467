"""What happened to a deployment, step by step, as people read it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from bot.store.tables import Delivery, Deployment, DeploymentEvent


@dataclass(frozen=True)
class TimelineStep:
    """A line of a deployment's timeline."""

    time: datetime
    phase: str
    message: str


def timeline(deployment: Deployment, deliveries: Sequence[Delivery]) -> list[TimelineStep]:
    """Return the steps of a deployment, the oldest first: the push that brought it, if one did, and its events."""
    return [*_pushes(deployment, deliveries), *_fold(deployment.events)]


def _pushes(deployment: Deployment, deliveries: Sequence[Delivery]) -> list[TimelineStep]:
    """Return the push that brought the deployment: it was made while the bot worked on that push's delivery.

    One by hand, or one that the bot found by itself later, was brought by no push, though an old one had its commit.
    A tag's push names the tag's own object instead of the commit, so there the name has to do.
    """
    if any(event.phase == "requested" for event in deployment.events):
        return []
    repository = "/".join(deployment.app.split("/")[:2])
    is_tag = deployment.ref.startswith("refs/tags/")
    for delivery in deliveries:
        is_its_push = (delivery.event, delivery.repository, delivery.ref) == ("push", repository, deployment.ref)
        was_open = delivery.received <= deployment.created <= (delivery.finished or deployment.created)
        if is_its_push and was_open and (is_tag or delivery.after == deployment.commit):
            return [TimelineStep(delivery.received, "pushed", f"webhook delivery {delivery.id}")]
    return []


def _fold(events: Iterable[DeploymentEvent]) -> Iterator[TimelineStep]:
    """Yield each event, but progress that follows progress as one step: the newest line about each pipeline."""
    for is_progress, group in groupby(events, key=lambda event: event.phase == "progress"):
        if not is_progress:
            yield from (TimelineStep(event.time, event.phase, event.message) for event in group)
            continue
        reports = list(group)
        lines = {line.rpartition(": ")[0] or line: line for report in reports for line in report.message.splitlines()}
        if lines:
            yield TimelineStep(reports[-1].time, "progress", "\n".join(lines.values()))
