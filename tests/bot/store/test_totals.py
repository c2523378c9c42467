"""Totals and the change number, on SQLite and on PostgreSQL."""

from bot.store.store import Store
from tests.support.reports import event, update


def test_every_change_moves_the_change_number(store: Store) -> None:
    seen = [store.totals.change_number()]
    for change in (
        lambda: store.deployments.record(update(), "a" * 40),
        lambda: store.deployments.report(event("progress")),
        lambda: store.deployments.append_log(1, "x"),
        lambda: store.holds.set("a/b", "staging", "why"),
        lambda: store.holds.release("a/b", "staging"),
    ):
        change()
        seen.append(store.totals.change_number())
    assert seen == sorted(set(seen))


def test_totals_add_up(store: Store) -> None:
    store.totals.add({"git_calls": 3, "reconcile_seconds": 0.5})
    store.totals.add({"git_calls": 4})
    assert store.counts().totals == {"git_calls": 7, "reconcile_seconds": 0.5}
