"""How what a worker tells is passed on: in few reports, and never more than can be kept."""

import threading
from collections.abc import Iterator

from cluster.limits import MAX_PROGRESS_LINES
from cluster.sync.progress import Event, batches


def lines(number: int) -> Iterator[Event]:
    yield {"event": "queued", "pipeline": "./one", "folder": "."}
    for line in range(number):
        yield {"event": "log", "pipeline": "./one", "line": str(line)}
    yield {"event": "ended"}


def test_what_comes_quickly_is_told_at_once() -> None:
    [batch] = batches(lines(100), seconds=5)
    assert len(batch) == 102


def test_of_a_long_log_the_last_lines_stay_and_it_is_said_how_many_went() -> None:
    [batch] = list(batches(lines(10 * MAX_PROGRESS_LINES), seconds=60))
    skipped = [event["lines"] for event in batch if event["event"] == "skipped_log"]
    kept = [event["line"] for event in batch if event["event"] == "log"]
    assert sum(skipped) + len(kept) == 10 * MAX_PROGRESS_LINES
    assert len(kept) <= MAX_PROGRESS_LINES
    assert kept[-1] == str(10 * MAX_PROGRESS_LINES - 1)
    assert {"queued", "ended"} < {event["event"] for event in batch}


def test_a_line_does_not_wait_for_the_next_one() -> None:
    go_on = threading.Event()

    def slowly() -> Iterator[Event]:
        yield {"event": "log", "pipeline": "./one", "line": "first"}
        assert go_on.wait(10)

    told = batches(slowly(), seconds=0.05)
    assert [event["line"] for event in next(told)] == ["first"]
    go_on.set()
    assert list(told) == []
