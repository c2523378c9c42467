"""When tags were first seen, on SQLite and on PostgreSQL."""

from datetime import UTC, datetime, timedelta

from bot.store.store import Store


def test_a_tag_appears_when_it_is_first_seen_and_anew_when_it_moves(store: Store) -> None:
    first = store.tags.see("a/b", {"v1": "1", "v2": "2"})
    assert first["v1"] == first["v2"] == store.tags.see("a/b", {"v1": "1", "v2": "2"})["v1"]
    assert store.tags.baseline("a/b", first) >= first["v1"]
    moved = store.tags.see("a/b", {"v1": "3", "v2": "2"})
    assert moved["v1"] > store.tags.baseline("a/b", moved) > moved["v2"]
    assert set(store.tags.see("a/b", {"v2": "2"})) == {"v2"}
    assert store.tags.see("a/b", {"v1": "3", "v2": "2"})["v1"] > moved["v1"]
    assert store.tags.see("c/d", {}) == {}


def test_an_app_that_had_no_tags_has_a_baseline_too(store: Store) -> None:
    baseline = store.tags.baseline("a/b", {})
    assert datetime.now(UTC) - baseline < timedelta(minutes=1)
    assert store.tags.see("a/b", {"v1": "1"})["v1"] > baseline
