"""The timeline of a deployment, from what the store has of it."""

from datetime import UTC, datetime, timedelta

from bot.store.tables import Delivery, Deployment, DeploymentEvent
from webhooks.timeline import timeline

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def deployment(*events: tuple[float, str, str], ref: str = "refs/heads/master") -> Deployment:
    return Deployment(
        app="ann/app",
        ref=ref,
        commit="a" * 40,
        created=NOON,
        events=[DeploymentEvent(time=at(time), phase=phase, message=message) for time, phase, message in events],
    )


def push(received: float, finished: float | None, name: str = "d1", ref: str = "refs/heads/master") -> Delivery:
    return Delivery(
        id=name,
        event="push",
        repository="ann/app",
        ref=ref,
        after="a" * 40,
        received=at(received),
        finished=None if finished is None else at(finished),
    )


def phases(found: Deployment, *deliveries: Delivery) -> list[str]:
    return [step.phase for step in timeline(found, deliveries)]


def test_the_push_that_the_bot_worked_on_is_the_first_step() -> None:
    found = deployment((0, "committed", "x"))
    assert phases(found, push(-1, 1)) == ["pushed", "committed"]
    assert phases(found, push(-1, None)) == ["pushed", "committed"]
    assert timeline(found, [push(-1, 1)])[0].time == at(-1)


def test_a_push_long_before_of_the_same_commit_did_not_bring_it() -> None:
    found = deployment((0, "committed", "x"))
    assert phases(found, push(-5000, -4998)) == ["committed"]
    assert phases(found, push(1, 2)) == ["committed"]
    steps = timeline(found, [push(-1, 1, "new"), push(-5000, -4998, "old")])
    assert steps[0].message == "webhook delivery new"


def test_one_by_hand_begins_with_who_asked_for_it() -> None:
    found = deployment((-2, "requested", "by hand: dppctl deploy ann/app staging"), (0, "committed", "x"))
    assert phases(found, push(-5000, -4998), push(-1, None)) == ["requested", "committed"]


def test_a_tag_is_known_by_its_name() -> None:
    tag = "refs/tags/v1"
    found, delivery = deployment((0, "committed", "x"), ref=tag), push(-1, 1, ref=tag)
    delivery.after = "b" * 40  # the tag's own object
    assert phases(found, delivery) == ["pushed", "committed"]


def test_progress_is_one_step_with_the_newest_line_of_each_pipeline() -> None:
    progress = [
        (1.0, "progress", ""),
        (2.0, "progress", "./one: 100 rows\n./two: 5 rows"),
        (3.0, "progress", ""),
        (4.0, "progress", "./one: succeeded, 230 rows"),
        (5.0, "progress", "installing"),
    ]
    found = deployment((0, "started", "running"), *progress, (6, "succeeded", "235 rows"))
    started, folded, _ = timeline(found, [])
    assert (started.phase, folded.phase, folded.time) == ("started", "progress", at(5))
    assert folded.message == "./one: succeeded, 230 rows\n./two: 5 rows\ninstalling"


def test_progress_without_words_is_no_step() -> None:
    found = deployment((0, "started", ""), (1, "progress", ""), (2, "progress", ""), (3, "failed", "why"))
    assert phases(found) == ["started", "failed"]
