"""Deliveries, on SQLite and on PostgreSQL."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from bot.model.webhook_events import Deleted, Ping, Push, Status
from bot.store.deliveries import NewDelivery
from bot.store.store import Store
from tests.support.receiver import PUSHED


def test_a_delivery_is_new_once_and_again_only_when_it_had_failed(store: Store) -> None:
    assert [store.deliveries.record("1", PUSHED), store.deliveries.record("1", PUSHED)] == ["new", "seen"]
    assert [one.id for one in store.deliveries.take()] == ["1"]
    store.deliveries.finish(["1"], "failed", "no network")
    assert (store.deliveries.newest()[0].reason, list(store.deliveries.take())) == ("no network", [])
    assert store.deliveries.record("1", PUSHED) == "again"
    store.deliveries.finish(["1"], "processed")
    assert store.deliveries.record("1", PUSHED) == "seen"
    (delivery,) = store.deliveries.newest()
    assert (delivery.state, delivery.reason) == ("processed", None)
    assert delivery.finished
    assert delivery.finished.tzinfo


def test_deliveries_that_come_together_are_told_apart(store: Store) -> None:
    one, two, three = (NewDelivery(name, PUSHED) for name in ("c", "a", "b"))
    store.deliveries.record(two.id, two.event)
    store.deliveries.finish(["a"], "failed", "no network")
    assert store.deliveries.record_all([one, two, three, one]) == ["new", "again", "new", "seen"]
    assert {one.id for one in store.deliveries.take()} == {"a", "b", "c"}


def test_old_deliveries_are_forgotten_but_not_those_that_wait(store: Store) -> None:
    for name in ("waits", "done"):
        store.deliveries.record(name, PUSHED)
    store.deliveries.finish(["done"], "processed")
    store.deliveries.forget(datetime.now(UTC) - timedelta(days=1))
    assert len(store.deliveries.newest()) == 2
    store.deliveries.forget(datetime.now(UTC) + timedelta(days=1))
    assert [one.id for one in store.deliveries.newest()] == ["waits"]


def test_an_ignored_delivery_is_kept_and_not_taken(store: Store) -> None:
    store.deliveries.record("1", Ping("ping", None), "pong")
    assert store.deliveries.take() == []
    assert store.counts().deliveries == {"ignored": 1}


def test_an_events_row_has_the_columns_that_its_kind_fills(store: Store) -> None:
    store.deliveries.record("1", Deleted("push", "ann/app", "refs/tags/v1", "a" * 40, "0" * 40))
    store.deliveries.record("2", Status("status", "ann/ops", "b" * 40, "success", "argocd/staging", "Synced"))
    deleted, status = sorted(store.deliveries.newest(), key=lambda row: row.id)
    assert (deleted.event, deleted.repository, deleted.status) == ("push", "ann/app", None)
    assert (deleted.ref, deleted.before, deleted.after) == ("refs/tags/v1", "a" * 40, "0" * 40)
    assert (status.event, status.ref, status.before, status.after) == ("status", None, None, "b" * 40)
    assert status.status == {"state": "success", "context": "argocd/staging", "description": "Synced"}


def test_many_at_once_receive_one_delivery_once(store: Store) -> None:
    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(lambda _: store.deliveries.record("1", PUSHED), range(32)))
    assert sorted(results) == ["new", *["seen"] * 31]


def test_deliveries_that_failed_are_not_settled(store: Store) -> None:
    store.deliveries.record_all([NewDelivery(name, PUSHED) for name in ("processed", "failed", "waits")])
    store.deliveries.finish(["processed"], "processed")
    store.deliveries.finish(["failed"], "failed")
    assert store.deliveries.settled(["processed", "failed", "waits", "unknown"]) == {"processed", "waits"}


def test_the_deliveries_of_a_push_are_found_by_its_commit_and_those_of_a_tag_by_its_name(store: Store) -> None:
    for name, ref, after in (
        ("1", "refs/heads/master", "a"),
        ("2", "refs/heads/master", "b"),
        ("3", "refs/tags/v1", "c"),
    ):
        store.deliveries.record(name, Push("push", "ann/app", ref, "0" * 40, after * 40))
    assert store.deliveries.of_push("ann/app", "refs/heads/master", "b" * 40) == ["2"]
    assert store.deliveries.of_push("ann/app", "refs/tags/v1", "b" * 40) == ["3"]
    assert store.deliveries.of_push("bob/app", "refs/heads/master", "b" * 40) == []
