import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.backoff import Backoff
from bot.model.versions import version_key

# Of https://semver.org/#spec-item-11, and what people use besides.
RISING = [
    "nightly", "v0.9", "v1.0.0-alpha", "v1.0.0-alpha.1", "v1.0.0-alpha.beta", "v1.0.0-beta", "v1.0.0-beta.2",
    "v1.0.0-beta.11", "v1.0.0-rc.1", "v1.0.0", "v1.9.0", "v1.10.0", "release/2.0", "data-3.1", "2026.01.02",
]  # fmt: skip


def test_versions_rise_as_people_read_them() -> None:
    mixed = random.Random(1).sample(RISING, len(RISING))
    assert sorted(mixed, key=version_key) == RISING


@pytest.mark.parametrize(("one", "other"), [("v1.0.0", "1.0.0"), ("v1.0.0+build", "v1.0.0"), ("app-1.2", "v1.2")])
def test_what_is_around_the_version_does_not_count(one: str, other: str) -> None:
    assert version_key(one) == version_key(other)


@given(st.lists(st.text("v0123456789.-+rc/", max_size=12) | st.text(max_size=8), max_size=6))
def test_any_names_can_be_sorted(names: list[str]) -> None:
    assert sorted(map(version_key, names)) == [version_key(name) for name in sorted(names, key=version_key)]


def test_what_fails_is_due_later_each_time_and_what_succeeds_never(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    retries = Backoff[str]()
    waits = []
    for _ in range(12):
        retries.failed("a/b")
        start = now
        while not retries.due():
            now += 0.25
        waits.append(now - start)
    assert waits[0] <= 1.75
    assert all(0.5 * 2**n <= wait <= 1.5 * 2**n + 0.25 for n, wait in enumerate(waits[:7]))
    assert max(waits) <= 270.25
    retries.succeeded("a/b")
    now += 1000
    assert retries.due() == set()
