"""Looks by the clock are spread evenly, and keep to the number of calls that GitHub takes. No clock in here."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from bot.github.call_limit import CallLimit
from bot.rechecks import Rechecks, interval_of

NAMES = {f"ann/app{number}" for number in range(10_000)}
INTERVAL = 180.0


def asked(rechecks: Rechecks, start: int, end: int) -> list[Counter[str]]:
    """Return what is asked in each second."""
    return [Counter(rechecks.due(second + 1.0, 10**9)) for second in range(start, end)]


def test_ten_thousand_repositories_are_never_asked_in_a_burst_and_each_once_in_the_interval() -> None:
    rechecks = Rechecks(NAMES, INTERVAL)
    rechecks.own(NAMES, 0.0)
    first = asked(rechecks, 0, 180)
    assert sum(first, Counter()).keys() == NAMES
    assert max(map(Counter.total, first)) <= 1.1 * len(NAMES) / INTERVAL + 1
    asked(rechecks, 180, 540)
    steady = asked(rechecks, 540, 720)
    assert sum(steady, Counter()) == Counter(NAMES)
    assert max(map(Counter.total, steady)) <= 1.1 * len(NAMES) / INTERVAL + 1


def test_what_was_taken_over_is_looked_at_at_once_and_what_was_given_away_no_more() -> None:
    rechecks = Rechecks({"ann/a", "ann/b"}, INTERVAL)
    rechecks.own({"ann/a"}, 0.0)
    assert rechecks.due(0.1, 10) == ["ann/a"]
    rechecks.own({"ann/b"}, 1.0)
    assert rechecks.due(1.0, 10) == ["ann/b"]
    assert rechecks.due(INTERVAL * 2, 10) == ["ann/b"]


@given(st.sets(st.text("abc", min_size=1), min_size=1), st.floats(1.0, 1e5), st.integers(1, 50))
def test_every_repository_is_asked_within_an_interval_and_a_half(names: set[str], interval: float, steps: int) -> None:
    rechecks = Rechecks(names, interval)
    rechecks.own(names, 0.0)
    last = dict.fromkeys(rechecks.due(len(names) + interval, 10**6), len(names) + interval)
    assert last.keys() == names
    for step in range(1, steps):
        now = len(names) + interval * (1 + step / 4)
        last |= dict.fromkeys(rechecks.due(now, 10**6), now)
        assert all(now - when <= interval * 1.76 for when in last.values())


def test_the_interval_is_longer_when_github_takes_less_calls() -> None:
    assert interval_of(10_001, 180.0, 5_000) == 10_001 * 3600 / 2_500
    assert interval_of(100, 180.0, 5_000) == 180.0
    assert interval_of(10_001, 180.0, 0) == 180.0


def test_calls_of_the_last_hour_count_and_several_bots_share_them() -> None:
    limit = CallLimit(10)
    for _ in range(6):
        limit.note()
    assert (limit.left(1.0), limit.left(0.8), limit.left(0.5)) == (4, 2, 0)
    limit.share(2)
    assert limit.left(1.0) == 0
    limit.share(1)
    limit._times[0] -= 3601
    assert limit.left(1.0) == 5
    assert CallLimit(0).left(0.5) > 10_000
