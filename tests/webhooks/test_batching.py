"""Calls that come at the same time are made as one."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.waiting import eventually
from webhooks.batching import Batcher


class Slow:
    """Work that waits to be let through, so that calls pile up behind it."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.open = threading.Event()

    def __call__(self, values: Sequence[int]) -> list[int]:
        self.batches.append(list(values))
        assert self.open.wait(10)
        if 0 in values:
            raise ValueError("not 0")
        return [10 * value for value in values]


def test_what_piles_up_while_one_works_is_done_at_once_and_each_gets_its_own_answer() -> None:
    work = Slow()
    batcher = Batcher(work, limit=3)
    with ThreadPoolExecutor(6) as threads:
        first = threads.submit(batcher.call, 1)
        eventually(lambda: work.batches, "the first is at work")
        others = [threads.submit(batcher.call, value) for value in (2, 3, 4, 5, 6)]
        eventually(lambda: len(batcher._waiting) == 5, "the others wait")
        work.open.set()
        assert [one.result() for one in (first, *others)] == [10, 20, 30, 40, 50, 60]
    assert [len(batch) for batch in work.batches] == [1, 3, 2]


def test_of_those_that_failed_batcher_only_the_bad_one_fails() -> None:
    work = Slow()
    batcher = Batcher(work, limit=10)
    with ThreadPoolExecutor(4) as threads:
        first = threads.submit(batcher.call, 1)
        eventually(lambda: work.batches, "the first is at work")
        bad, *good = [threads.submit(batcher.call, value) for value in (0, 2, 3)]
        eventually(lambda: len(batcher._waiting) == 3, "the others wait")
        work.open.set()
        with pytest.raises(ValueError, match="not 0"):
            bad.result()
        assert [one.result() for one in (first, *good)] == [10, 20, 30]
