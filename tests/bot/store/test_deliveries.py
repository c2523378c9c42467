"""Deliveries, on SQLite and on PostgreSQL."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from bot.store.deliveries import NewDelivery
from bot.store.store import Store


def test_a_delivery_is_new_once_and_again_only_when_it_had_failed(store: Store) -> None:
    new = NewDelivery("1", "push", "ann/app")
    assert [store.deliveries.receive(new), store.deliveries.receive(new)] == ["new", "seen"]
    assert [one.id for one in store.deliveries.take()] == ["1"]
    store.deliveries.finish(["1"], "failed", "no network")
    assert (store.deliveries.newest()[0].reason, list(store.deliveries.take())) == ("no network", [])
    assert store.deliveries.receive(new) == "again"
    store.deliveries.finish(["1"], "processed")
    assert store.deliveries.receive(new) == "seen"
    (delivery,) = store.deliveries.newest()
    assert (delivery.state, delivery.reason) == ("processed", None)
    assert delivery.finished
    assert delivery.finished.tzinfo


def test_deliveries_that_come_together_are_told_apart(store: Store) -> None:
    one, two, three = (NewDelivery(name, "push", "ann/app") for name in ("c", "a", "b"))
    store.deliveries.receive(two)
    store.deliveries.finish(["a"], "failed", "no network")
    assert store.deliveries.receive_all([one, two, three, one]) == ["new", "again", "new", "seen"]
    assert {one.id for one in store.deliveries.take()} == {"a", "b", "c"}


def test_old_deliveries_are_forgotten_but_not_those_that_wait(store: Store) -> None:
    for name in ("waits", "done"):
        store.deliveries.receive(NewDelivery(name, "push", "ann/app"))
    store.deliveries.finish(["done"], "processed")
    store.deliveries.forget(datetime.now(UTC) - timedelta(days=1))
    assert len(store.deliveries.newest()) == 2
    store.deliveries.forget(datetime.now(UTC) + timedelta(days=1))
    assert [one.id for one in store.deliveries.newest()] == ["waits"]


def test_an_ignored_delivery_is_kept_and_not_taken(store: Store) -> None:
    store.deliveries.receive(NewDelivery("1", "ping", ignored="pong"))
    assert store.deliveries.take() == []
    assert store.counts().deliveries == {"ignored": 1}


def test_many_at_once_receive_one_delivery_once(store: Store) -> None:
    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(store.deliveries.receive, [NewDelivery("1", "push", "a/b")] * 32))
    assert sorted(results) == ["new", *["seen"] * 31]


def test_deliveries_that_failed_are_not_settled(store: Store) -> None:
    store.deliveries.receive_all([NewDelivery(name, "push", "ann/app") for name in ("processed", "failed", "waits")])
    store.deliveries.finish(["processed"], "processed")
    store.deliveries.finish(["failed"], "failed")
    assert store.deliveries.settled(["processed", "failed", "waits", "unknown"]) == {"processed", "waits"}
