"""Lengths of time as people write and read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.errors import ClusterError
from cluster.local import durations


@pytest.mark.parametrize(
    ("text", "length"),
    [("1h", 3600), ("90s", 90), ("1h30m", 5400), ("2d", 172800), ("0", 0), ("45", 45), (" 5M ", 300)],
)
def test_a_length_is_read_as_people_write_it(text: str, length: int) -> None:
    assert durations.seconds(text) == length


@pytest.mark.parametrize("text", ["", "1w", "h", "-1", "1.5h", "30m1h", "1 h", "9" * 30, "٣s"])
def test_anything_else_is_refused_with_one_line(text: str) -> None:
    with pytest.raises(ClusterError, match="is no length of time; write it like 1h"):
        durations.seconds(text)


@pytest.mark.parametrize(
    ("length", "short", "spoken"),
    [
        (0, "0s", "0 seconds"),
        (1, "1s", "1 second"),
        (200, "3m20s", "3 minutes 20 seconds"),
        (3600, "1h00m", "1 hour"),
        (9000, "2h30m", "2 hours 30 minutes"),
        (90061, "1d01h", "1 day 1 hour 1 minute 1 second"),
    ],
)
def test_a_length_is_told_shortly_and_in_words(length: int, short: str, spoken: str) -> None:
    assert (durations.short(length), durations.spoken(length)) == (short, spoken)


@given(st.integers(min_value=0, max_value=10**7))
def test_what_is_told_can_be_read_again(length: int) -> None:
    told = durations.short(length)
    assert 0 <= length - durations.seconds(told) < (1 if "s" in told else 60 if "m" in told else 3600)
