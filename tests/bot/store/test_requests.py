"""Requests to deploy, on SQLite and on PostgreSQL."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from bot.store.store import Store
from tests.support.reports import update


def test_a_request_waits_until_it_is_finished(store: Store) -> None:
    number = store.requests.add("ann/app", "staging", ref="v1", by="local:ann")
    assert [one.ref for one in store.requests.take()] == ["v1"]
    assert store.counts().queue == 1
    deployment = store.deployments.record(update(), "a" * 40)
    store.requests.finish(number, "done", "fine", deployment)
    found = store.requests.get(number)
    assert found
    assert (found.state, found.message, found.deployment_id) == ("done", "fine", deployment)
    assert store.requests.take() == []


def test_an_act_keeps_who_asked_and_why_and_the_newest_are_found(store: Store) -> None:
    until = datetime(2026, 12, 1, 8, tzinfo=UTC)
    first = store.requests.add(
        "ann/app", "staging", "hold", by="github:1", login="ann", reason="elections\nDppctl-By: bob", until=until
    )
    second = store.requests.add("ann/app", "production", "rollback", by="local:ann", to_deployment=3, run=True)
    (newest,) = store.requests.newest("ann/app", "production")
    assert (newest.id, newest.act, newest.to_deployment, newest.run) == (second, "rollback", 3, True)
    held = store.requests.newest("ann/app")[1]
    assert (held.id, held.by, held.login, held.until) == (first, "github:1", "ann", until)
    assert held.reason == "elections Dppctl-By: bob"  # one line, so that it is no trailer of its own


def test_a_form_that_is_sent_several_times_at_once_asks_once(store: Store) -> None:
    def ask(_: int) -> int:
        return store.requests.add("ann/app", "staging", "release", by="local:ann", form="f" * 32)

    with ThreadPoolExecutor(8) as threads:
        asked = set(threads.map(ask, range(8)))
    (request,) = store.requests.take()
    assert asked == {request.id}
    assert store.requests.of_form("0" * 32) is None


def test_what_acts_go_by_is_read_for_each_environment(store: Store) -> None:
    number = store.deployments.record(update(), "a" * 40)
    store.holds.set("ann/app", "staging", "elections", by="github:1", login="ann")
    found = store.acts.of_app("ann/app", ["production"])
    (deployment,) = found["staging"].deployments
    assert (deployment.id, deployment.state, deployment.has_values, deployment.kept) == (number, "waiting", True, False)
    assert found["staging"].hold
    assert (found["staging"].hold.by, found["staging"].hold.is_by_person) == ("ann", True)
    assert found["production"].deployments == ()
