"""How what a worker tells is passed on: in few reports, and never more than can be kept."""

import threading
from collections.abc import Iterator

from cluster.limits import MAX_PROGRESS_LINES, MAX_TOLD_EVENTS, MAX_TOLD_LINE
from cluster.sync.progress import Progress, batches
from cluster.worker_events import Event


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


def test_of_very_many_other_events_the_last_ones_stay() -> None:
    [batch] = list(batches(({"event": "progress", "rows": rows} for rows in range(5 * MAX_TOLD_EVENTS)), seconds=60))
    assert len(batch) <= MAX_TOLD_EVENTS
    assert batch[-1]["rows"] == 5 * MAX_TOLD_EVENTS - 1


def test_of_a_long_line_and_of_many_mistakes_little_is_told() -> None:
    errors = [{"where": "a", "message": "b" * 10_000}]
    events = [
        {"event": "log", "pipeline": "./one", "line": "x" * 10_000},
        {"event": "invalid", "errors": errors},
        {"event": "progress", "pipeline": "p" * 10_000, "rows": 1},
    ]
    progress = Progress()
    [(steps, log)] = progress.follow(iter(events))
    assert (steps, log) == ("", f"./one: {'x' * MAX_TOLD_LINE}\n")
    assert progress.invalid == [f"a: {'b' * MAX_TOLD_LINE}"]


def test_a_line_does_not_wait_for_the_next_one() -> None:
    go_on = threading.Event()

    def slowly() -> Iterator[Event]:
        yield {"event": "log", "pipeline": "./one", "line": "first"}
        assert go_on.wait(10)

    told = batches(slowly(), seconds=0.05)
    assert [event["line"] for event in next(told)] == ["first"]
    go_on.set()
    assert list(told) == []
