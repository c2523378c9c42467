"""The stream of events: nothing important is lost, a slow reader costs nothing."""

import threading

from worker.events import LOG_LINES_KEPT, EventStream


def test_a_reader_gets_what_was_emitted_before_it_came() -> None:
    events = EventStream()
    events.emit("queued", pipeline="./a")
    events.emit("started", pipeline="./a")
    events.close()
    assert [event["event"] for event in events] == ["queued", "started"]


def test_readers_in_other_threads_see_events_in_order_until_the_end() -> None:
    events = EventStream()
    seen: list[list[str]] = [[], []]
    readers = [threading.Thread(target=lambda mine=mine: mine.extend(e["pipeline"] for e in events)) for mine in seen]
    for reader in readers:
        reader.start()
    for number in range(500):
        events.emit("queued", pipeline=str(number))
    events.close()
    for reader in readers:
        reader.join(10)
    assert seen == [[str(number) for number in range(500)]] * 2


def test_a_slow_reader_is_told_how_many_log_lines_it_missed_and_misses_nothing_else() -> None:
    events = EventStream()
    for number in range(LOG_LINES_KEPT + 123):
        events.log("./a", f"line {number}")
    events.emit("finished", pipeline="./a")
    events.close()
    got = list(events)
    assert got[0]["event"] == "skipped_log"
    assert got[0]["lines"] == 123
    assert [event["line"] for event in got if event["event"] == "log"][-1] == f"line {LOG_LINES_KEPT + 122}"
    assert got[-1]["event"] == "finished"


def test_of_progress_in_quick_succession_only_the_first_is_told() -> None:
    events = EventStream()
    for rows in range(1000):
        events.progress("./a", rows)
    events.close()
    assert [event["rows"] for event in events] == [0]


def test_no_log_is_kept_when_nobody_wants_it() -> None:
    events = EventStream(with_log=False)
    events.log("./a", "a line")
    events.close()
    assert list(events) == []


def test_a_very_long_line_is_cut() -> None:
    events = EventStream()
    events.log("./a", "x" * 1_000_000)
    events.close()
    assert len(next(iter(events))["line"]) == 2_000
