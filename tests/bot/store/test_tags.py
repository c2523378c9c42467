"""When tags were first seen, on SQLite and on PostgreSQL."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from bot.limits import GONE_TAG_DAYS
from bot.store.store import Store
from bot.store.tables import SeenTag


def test_a_tag_appears_when_it_is_first_seen_and_anew_when_it_moves(store: Store) -> None:
    first = store.tags.see("a/b", {"v1": "1", "v2": "2"})
    assert first["v1"] == first["v2"] == store.tags.see("a/b", {"v1": "1", "v2": "2"})["v1"]
    moved = store.tags.see("a/b", {"v1": "3", "v2": "2"})
    assert moved["v1"] > first["v1"] == moved["v2"]
    assert store.tags.see("c/d", {}) == {}


def test_a_tag_that_is_gone_for_a_while_is_not_new(store: Store) -> None:
    first = store.tags.see("a/b", {"v1": "1", "v2": "2"})
    assert store.tags.see("a/b", {}) == {}
    assert store.tags.see("a/b", {"v2": "2"}) == {"v2": first["v2"]}
    assert store.tags.see("a/b", {"v1": "1", "v2": "2"}) == first
    assert store.tags.see("a/b", {"v2": "2"}) == {"v2": first["v2"]}
    assert store.tags.see("a/b", {"v1": "3", "v2": "2"})["v1"] > first["v1"]


def test_what_is_known_of_a_tag_that_is_gone_has_an_end(store: Store) -> None:
    first = store.tags.see("a/b", {"v1": "1", "v2": "2"})
    store.tags.see("a/b", {"v2": "2"})
    with store.database.write() as session:
        past = first["v1"] - timedelta(days=GONE_TAG_DAYS + 1)
        session.execute(update(SeenTag).where(SeenTag.name == "v1").values(gone=past))
    store.tags.see("a/b", {})
    with store.database.read() as session:
        assert [tag.name for tag in session.query(SeenTag)] == ["v2"]


def test_the_baseline_is_what_an_app_had_at_first(store: Store) -> None:
    old = {"v1": "1", "v2": "2"}
    assert store.tags.baseline("a/b", old) == old
    assert store.tags.baseline("a/b", {"v3": "3"}) == old
    assert store.tags.baseline("a/none", {}) == store.tags.baseline("a/none", old) == {}


@pytest.mark.parametrize("app", ["a/b", "a/b/below"])
def test_a_tag_that_moved_is_in_no_baseline_any_more(store: Store, app: str) -> None:
    old = {"v1": "1", "v2": "2"}
    for name in (app, "a/b-other", "a/bother/below"):
        store.tags.baseline(name, old)
    store.tags.see("a/b", old)
    store.tags.see("a/b", {"v1": "1", "v2": "9"})
    store.tags.see("a/b", old)
    assert store.tags.baseline(app, old) == {"v1": "1"}
    assert store.tags.baseline("a/b-other", old) == store.tags.baseline("a/bother/below", old) == old
