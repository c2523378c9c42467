"""Events on their way to the usage server: none is lost, by whatever is killed or away."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from bot.errors import PermanentError, TransientError
from bot.limits import MAX_EVENT_DETAILS, MAX_EVENT_TEXT
from bot.usage_client import UsageSender
from bot.usage_events import EventSpool, SpoolError, UsageEvent, read_events
from cluster.limits import MAX_USAGE_BYTES
from tests.support.serving import Reply, Request, serving
from tests.support.waiting import eventually


class Taken:
    """What was delivered; as long as `error` is set nothing is."""

    def __init__(self, error: Exception | None = None) -> None:
        self.events: list[UsageEvent] = []
        self.error = error

    def send(self, events: Sequence[UsageEvent]) -> None:
        if self.error:
            raise self.error
        self.events += events

    @property
    def subjects(self) -> list[str]:
        return [event.subject for event in self.events]


@contextmanager
def opened(folder: Path, taken: Taken, limit: int = 10**6) -> Iterator[EventSpool]:
    spool = EventSpool(folder, taken.send, limit)
    yield spool
    spool.close()


def event(subject: str) -> UsageEvent:
    return UsageEvent(user="token:ann", action="POST /v1/runs", subject=subject)


def record_many(spool: EventSpool, count: int) -> None:
    for number in range(count):
        spool.record(event(f"run-{number}"))


def test_what_is_recorded_is_delivered_in_order_and_leaves_no_file(tmp_path: Path) -> None:
    taken = Taken()
    with opened(tmp_path, taken) as spool:
        record_many(spool, 50)
        eventually(lambda: len(taken.events) == 50, "the events are where they should be")
        eventually(lambda: not spool.waiting_bytes, "the events are where they should be")
    assert taken.subjects == [f"run-{number}" for number in range(50)]
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("error", [TransientError("away"), PermanentError("refused"), ValueError("a mistake")])
def test_what_is_not_taken_stays_until_it_is(tmp_path: Path, error: Exception) -> None:
    taken = Taken(error)
    with opened(tmp_path, taken) as spool:
        spool.record(event("one"))
        spool.record(event("two"))
        eventually(lambda: spool._backoff.waits("send"), "the events are where they should be")
        spool.record(event("three"))
        assert not taken.events
        taken.error = None
        eventually(lambda: len(taken.events) == 3, "the events are where they should be")
    assert taken.subjects == ["one", "two", "three"]


def test_large_events_go_in_several_deliveries_that_the_usage_server_takes(tmp_path: Path) -> None:
    largest = {f"{number}": "\x01" * MAX_EVENT_TEXT for number in range(MAX_EVENT_DETAILS)}
    events = [event(f"run-{number}").model_copy(update={"details": largest}) for number in range(300)]
    (tmp_path / "token").write_text("of servers")
    bodies: list[bytes] = []

    def take(asked: Request) -> Reply:
        bodies.append(asked.body)
        return Reply(204)

    with serving(take) as address:
        UsageSender(f"http://{address}", tmp_path / "token").send(events)
    assert sum(map(len, bodies)) > MAX_USAGE_BYTES > max(map(len, bodies))
    taken = [each["subject"] for body in bodies for each in json.loads(body)["events"]]
    assert taken == [f"run-{number}" for number in range(300)]


def test_a_killed_process_loses_nothing_that_record_returned_from(tmp_path: Path) -> None:
    program = f"""
import sys
from pathlib import Path
from bot.errors import TransientError
from bot.usage_events import EventSpool, UsageEvent
def send(events): raise TransientError("away")
spool = EventSpool(Path({str(tmp_path)!r}), send)
for number in range(10**6):
    spool.record(UsageEvent(action="act", subject=str(number)))
    sys.stdout.write(f"{{number}}\\n"); sys.stdout.flush()
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        said = [int(process.stdout.readline()) for _ in range(200)]
        taken = Taken()
        with opened(tmp_path, taken):
            assert not taken.events  # its owner is alive
        process.kill()
        said += [int(line) for line in process.stdout if line.endswith("\n")]
    with opened(tmp_path, taken):
        eventually(lambda: len(taken.events) >= len(said), "the events are where they should be")
    assert taken.subjects[: len(said)] == [str(number) for number in said]
    assert not [*tmp_path.iterdir()]


def test_half_a_line_at_the_end_is_none(tmp_path: Path) -> None:
    left = tmp_path / f"{'a' * 32}.jsonl"
    left.write_bytes(event("whole").model_dump_json().encode() + b"\n" + event("half").model_dump_json().encode()[:40])
    assert [each.subject for each in read_events(left)] == ["whole"]
    taken = Taken()
    with opened(tmp_path, taken):
        eventually(lambda: not [*tmp_path.iterdir()], "the events are where they should be")
    assert taken.subjects == ["whole"]


def test_a_full_spool_refuses_and_takes_again_when_there_is_room(tmp_path: Path) -> None:
    taken = Taken(TransientError("away"))
    with opened(tmp_path, taken, limit=1000) as spool:
        with pytest.raises(SpoolError, match="as many as may: the usage server does not take them"):
            record_many(spool, 10)
        kept = spool.waiting_bytes
        assert 0 < kept <= 1000
    with opened(tmp_path, taken, limit=1000) as spool:  # what the one before it left counts
        assert spool.waiting_bytes == kept
        with pytest.raises(SpoolError):
            spool.record(event("more" * 100))
        taken.error = None
        eventually(lambda: not spool.waiting_bytes, "the events are where they should be")
        spool.record(event("again"))


def test_a_disk_without_room_refuses_the_event_and_keeps_those_before_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = Taken(TransientError("away"))
    write = os.write
    with opened(tmp_path, taken) as spool:
        spool.record(event("one"))
        monkeypatch.setattr(os, "write", lambda descriptor, line: write(descriptor, line[:10]))
        with pytest.raises(SpoolError, match="no room"):
            spool.record(event("two"))
        monkeypatch.setattr(os, "write", write)
        spool.record(event("three"))
        taken.error = None
        eventually(lambda: len(taken.events) == 2, "the events are where they should be")
    assert taken.subjects == ["one", "three"]


def test_many_threads_record_at_once(tmp_path: Path) -> None:
    taken = Taken()
    with opened(tmp_path, taken) as spool:
        threads = [threading.Thread(target=record_many, args=(spool, 20)) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        eventually(lambda: len(taken.events) >= 400, "the events are where they should be")
    assert len({each.id for each in taken.events}) == len(taken.events) == 400


def test_whatever_is_said_of_an_event_can_be_kept() -> None:
    odd = UsageEvent(
        user="a\0b\udcff",
        action="x" * 10_000,
        details={"a": 1.5, "b": 2**80, "c\0": None, **{str(n): n for n in range(50)}},
    )
    assert odd.user == "a\ufffdb?"
    assert len(odd.action) == MAX_EVENT_TEXT
    assert odd.details["a"] == "1.5"
    assert odd.details["c\ufffd"] == "None"
    assert len(odd.details) == 20
    assert UsageEvent.model_validate_json(odd.model_dump_json()) == odd
