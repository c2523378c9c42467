"""What acts keep in the store, on SQLite and on PostgreSQL."""

from datetime import UTC, datetime, timedelta

from bot.store.store import Store
from tests.support.reports import event, update


def test_a_deployment_is_cancelled_once_and_by_one_request(store: Store) -> None:
    number = store.deployments.record(update(), "a" * 40)
    assert store.acts.cancel(number, 7, "cancelled by ann")
    assert store.acts.cancel(number, 7, "cancelled by ann")
    assert not store.acts.cancel(number, 8, "cancelled by bob")
    found = store.deployments.get(number)
    assert found
    assert (found.state, found.error, found.ended) == ("cancelled", "cancelled by ann", True)
    assert [step.phase for step in found.events] == ["committed", "cancelled"]
    store.deployments.report(event("superseded"))
    store.deployments.report(event("progress"))
    again = store.deployments.get(number)
    assert again
    assert again.state == "cancelled"


def test_what_sync_keeps_is_what_it_said_last(store: Store) -> None:
    numbers = [store.deployments.record(update(), letter * 40) for letter in "abc"]

    def kept() -> list[int]:
        return [found.id for found in store.acts.of_app("ann/app")["staging"].deployments if found.kept]

    store.deployments.report(event("succeeded", ops_commit="b", kept=("a" * 40, "b" * 40)))
    assert kept() == [numbers[1], numbers[0]]
    store.deployments.report(event("succeeded", ops_commit="c", kept=("b" * 40, "c" * 40)))
    store.deployments.report(event("scheduled", ops_commit="c"))
    assert kept() == [numbers[2], numbers[1]]


def test_a_hold_ends_at_its_time_and_answers_its_request(store: Store) -> None:
    now = datetime.now(UTC)
    request = store.requests.add("ann/app", "staging", "hold", by="local:ann")
    store.holds.set("ann/app", "staging", "x", until=now + timedelta(hours=1), request=request, answer="it is held")
    answered = store.requests.get(request)
    assert answered
    assert (answered.state, answered.message) == ("done", "it is held")
    assert store.holds.over(now) == []
    assert [hold.environment for hold in store.holds.over(now + timedelta(hours=2))] == ["staging"]
    assert not store.holds.is_for_change("ann/app", "staging")
