"""Bots share the ops repos of a store: with SQLite one has all; with PostgreSQL each has its part, no two the same."""

import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack

import pytest

from bot.store import leases
from bot.store.leases import LEADER, Leases, share
from bot.store.store import Store
from tests.support.environment import REPOSITORY
from tests.support.waiting import eventually

GROUPS = [{"ann/a"}, {"bob/a", "bob/b"}, {"cat/a"}, {"dan/a"}]
NAMES = {name for group in GROUPS for name in group}


def idle(_: Iterable[str]) -> bool:
    return True


def renew(*bots: Leases) -> list[set[str]]:
    """Have each say that it is alive, whatever the time is; return what they have, without what the leader has."""
    for bot in bots:
        bot._next = 0.0
        bot.renew(idle)
    return [set(bot.held - {LEADER}) for bot in bots]


@pytest.fixture
def bots(url: str, store: Store) -> Iterator[list[Leases]]:
    with ExitStack() as opened:
        stores = [store, Store(url), Store(url)]
        for other in stores[1:]:
            opened.callback(other.close)
        yield [Leases(found.database, GROUPS) for found in stores]


def test_with_sqlite_one_bot_has_all_and_another_takes_over(store: Store, bots: list[Leases]) -> None:
    if not store.database.is_sqlite:
        return
    assert renew(*bots) == [NAMES, set(), set()]
    bots[0].release()
    assert renew(*bots[1:]) == [NAMES, set()]


def test_with_postgresql_they_share_and_one_leads(store: Store, bots: list[Leases]) -> None:
    if store.database.is_sqlite:
        return
    assert renew(bots[0]) == [NAMES]
    renew(*bots)  # the first gives
    held = renew(*bots)
    assert set().union(*held) == NAMES
    assert sum(map(len, held)) == len(NAMES), "no two have the same"
    assert all(held)
    assert [bot.holds(LEADER) for bot in bots].count(True) == 1
    assert all(len({"bob/a", "bob/b"} & found) != 1 for found in held), "a group has one bot"
    bots[0].release()
    renew(*bots[1:])
    assert set().union(*renew(*bots[1:])) == NAMES
    assert any(bot.holds(LEADER) for bot in bots[1:])


def test_a_bot_that_could_not_say_that_it_is_alive_holds_nothing(
    store: Store, bots: list[Leases], monkeypatch: pytest.MonkeyPatch
) -> None:
    if store.database.is_sqlite:
        return
    with monkeypatch.context() as patch:
        patch.setattr(leases, "LEASE_SECONDS", 0.0)
        assert renew(bots[0]) == [set()]
    assert renew(bots[1]) == [NAMES]
    assert renew(bots[0]) == [set()]


def test_a_bot_that_is_killed_is_replaced_within_ten_seconds(url: str, store: Store) -> None:
    program = (
        "import sys; from bot.store.store import Store; from bot.store.leases import Leases\n"
        "leases = Leases(Store(sys.argv[1]).database, [{'a/a'}]); leases.renew(bool)\n"
        "print(leases.holds('a/a'), flush=True)\n"
        "sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, url], cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout
        assert process.stdout.readline() == "True\n"
        process.kill()
        process.wait()
        other = Leases(store.database, [{"a/a"}])
        eventually(lambda: other.renew(idle) or other.holds("a/a"), "the other takes over", 10)
        other.release()


def test_what_is_worked_at_is_not_given_away_and_a_group_in_two_hands_is() -> None:
    groups = [("a",), ("b",), ("c", "d")]
    mine = dict.fromkeys("abcd", "me") | {LEADER: "me"}
    three = {"me", "one", "two"}
    assert share(groups, mine, "me", three, idle) == ([], ["c", "d", "b"])
    assert share(groups, mine, "me", three, lambda names: set(names) == {"a"}) == ([], ["a"])
    assert share(groups, {"c": "one", "d": "me", LEADER: "one"}, "me", {"me", "one"}, idle) == (["a", "b"], ["d"])
    assert share(groups, {}, "me", {"me"}, idle) == (["a", "b", "c", "d", LEADER], [])
