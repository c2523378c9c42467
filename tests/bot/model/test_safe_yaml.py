"""YAML that is made to hurt, and what becomes of numbers."""

import time

import pytest

from bot.errors import DppctlError
from bot.model.safe_yaml import read_yaml

PRIME = 2**61 - 1  # of whole numbers, the hash is the rest of a division by it


def test_numbers_and_dates_are_texts_as_they_are_written() -> None:
    text = "{a: 1.10, b: 012, c: 2026-01-02, d: 1:30, e: 1e3, f: true, g: null, h: no, i: '1', j: !!int x, 7: k}"
    found, _ = read_yaml(text, "file")
    assert found == {
        "a": "1.10", "b": "012", "c": "2026-01-02", "d": "1:30", "e": "1e3", "f": True, "g": None, "h": False, "i": "1",
        "j": "x", "7": "k",
    }  # fmt: skip
    assert read_yaml("{a: 10, b: 1.5}", "file", typed=True)[0] == {"a": 10, "b": 1.5}


@pytest.mark.parametrize(
    "text",
    [
        "a: 1" + ":1" * 200_000,
        "? 1" + ":1" * 200_000 + "\n: a",
        "a: !!int 1" + ":1" * 200_000,
        "{" + ", ".join(f"{PRIME * number}: " for number in range(20_000)) + "}",
    ],
    ids=["base 60", "base 60 as a key", "base 60 with a tag", "keys of one hash"],
)
def test_numbers_that_take_minutes_are_read_at_once(text: str) -> None:
    started = time.process_time()
    read_yaml(text, "file")
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "a: 1\nb: [" + "a, " * 999 + "]",
            "file:2: too large; 1,000 values are read at most, those of aliases included",
        ),
        ("a: " + "[" * 100, "file:1: nested too deep; 100 levels are read at most"),
        ("a: &a 1\nb: [" + "*a, " * 20_000 + "]", "file:2: there are more than 10,000 aliases"),
    ],
)
def test_what_is_more_than_is_read_is_refused_with_the_number(text: str, said: str) -> None:
    with pytest.raises(DppctlError) as refused:
        read_yaml(text, "file", nodes=1_000 if "values" in said else 200_000)
    assert str(refused.value) == said
