"""Holds, on SQLite and on PostgreSQL."""

from bot.store.store import Store


def test_a_hold_is_replaced_and_released(store: Store) -> None:
    store.holds.set("a/b", "staging", "one")
    store.holds.set("a/b", "staging", "two", instead_of=("refs/heads/x", "t"))
    assert [(one.reason, one.until_ref) for one in store.holds.all()] == [("two", "refs/heads/x")]
    assert [store.holds.release("a/b", "staging"), store.holds.release("a/b", "staging")] == [True, False]
