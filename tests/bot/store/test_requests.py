"""Requests to deploy, on SQLite and on PostgreSQL."""

from bot.store.store import Store
from tests.support.reports import update


def test_a_request_waits_until_it_is_finished(store: Store) -> None:
    number = store.requests.add("ann/app", "staging", "v1")
    assert [one.ref for one in store.requests.take()] == ["v1"]
    assert store.counts().queue == 1
    deployment = store.deployments.record(update(), "a" * 40)
    store.requests.finish(number, "done", "fine", deployment)
    found = store.requests.get(number)
    assert found
    assert (found.state, found.message, found.deployment_id) == ("done", "fine", deployment)
    assert store.requests.take() == []
