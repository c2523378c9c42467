"""How long ago, and how long it took, in words."""

from datetime import UTC, datetime, timedelta

import pytest

from webhooks.times import ago, took

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "just now"),
        (59, "just now"),
        (60, "1 minute ago"),
        (179, "2 minutes ago"),
        (3_600, "1 hour ago"),
        (86_399, "23 hours ago"),
        (86_400 * 8, "8 days ago"),
        (86_400 * 70, "2 months ago"),
        (86_400 * 800, "2 years ago"),
        (-30, "in a moment"),
        (-7_300, "in 2 hours"),
    ],
)
def test_how_long_ago(seconds: float, words: str) -> None:
    assert ago(NOW - timedelta(seconds=seconds), NOW) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.44, "0.4 s"), (12.4, "12 s"), (200, "3 min 20 s"), (7_500, "2 h 5 min"), (59.7, "1 min 0 s")],
)
def test_how_long_it_took(seconds: float, words: str) -> None:
    assert took(seconds) == words
