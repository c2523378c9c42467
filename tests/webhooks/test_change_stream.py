"""How open pages hear of changes."""

import re
import time
from itertools import pairwise
from pathlib import Path

import pytest

from tests.support.pages import PagesWorld, make_world
from webhooks.limits import CHANGE_POLL_SECONDS, CHANGE_QUESTIONS, MAX_CHANGE_POLL_SECONDS


@pytest.fixture
def world(tmp_path: Path) -> PagesWorld:
    return make_world(tmp_path)


def ask(world: PagesWorld, since: int) -> tuple[float, bool]:
    """Return in how many seconds a page asks again, and whether it was told of a change."""
    answer = world.client().get(f"/events?since={since}")
    assert answer.mimetype == "text/event-stream"
    text = answer.get_data(as_text=True)
    (retry,) = re.findall(r"^retry: (\d+)$", text, re.MULTILINE)
    return int(retry) / 1000, "event: change" in text


def test_a_page_is_told_once_of_what_it_has_not_seen(world: PagesWorld) -> None:
    number = world.store.totals.change_number()
    assert ask(world, number)[1] is False
    world.store.deployments.append_log(1, "more\n")
    assert ask(world, number)[1] is True
    assert ask(world, number + 1)[1] is False


def test_many_pages_ask_one_after_the_other(world: PagesWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    turns = sorted(ask(world, 0)[0] for _ in range(200))
    assert turns[0] == CHANGE_POLL_SECONDS
    assert turns[-1] == pytest.approx(CHANGE_POLL_SECONDS + 199 / CHANGE_QUESTIONS, abs=0.01)
    assert all(after - before > 0.5 / CHANGE_QUESTIONS for before, after in pairwise(turns))
    for _ in range(1000):
        assert ask(world, 0)[0] <= MAX_CHANGE_POLL_SECONDS


def test_who_looks_alone_is_told_at_once_again_when_the_many_are_gone(
    world: PagesWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    for _ in range(200):
        ask(world, 0)
    now += 60
    assert ask(world, 0)[0] == CHANGE_POLL_SECONDS
