"""What people did through a server, told to the usage server: written down on this machine first, then delivered.

A server that acts records the event and goes on; it never waits for the network. The lines of a file stay until the
usage server has taken them, and it takes an event once, however often it is sent. So neither a server that is killed
nor a usage server that is away for a day loses what happened; and where nothing can be written down, nothing is done.
"""

import fcntl
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from bot.backoff import Backoff
from bot.errors import DppctlError, TransientError
from bot.limits import (
    EVENTS_AT_ONCE,
    EVENTS_RETRY_SECONDS,
    MAX_EVENT_DETAILS,
    MAX_EVENT_TEXT,
    MAX_SPOOL_BYTES,
    SPOOL_LOOK_SECONDS,
)
from bot.logs import get_logger

_log = get_logger("dppctl.usage_events")


def _text(given: Any) -> str:
    """Return a text that JSON and any database take, cut to its limit."""
    whole = str(given).encode(errors="replace").decode().replace("\0", "\ufffd")
    return whole if len(whole) <= MAX_EVENT_TEXT else f"{whole[: MAX_EVENT_TEXT - 1]}…"


def _details(given: Any) -> dict[str, str | int]:
    """Return details that any database takes: few, and each a text or a whole number."""
    pairs = [*given.items()][:MAX_EVENT_DETAILS] if isinstance(given, Mapping) else []
    return {
        _text(name): value if isinstance(value, int) and abs(value) < 2**53 else _text(value) for name, value in pairs
    }


_Text = Annotated[str, BeforeValidator(_text)]
EventId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


class UsageEvent(BaseModel):
    """Something that somebody did, or was refused. Too long texts are cut, so that no event is ever refused."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: EventId = Field(default_factory=lambda: uuid.uuid4().hex)  # by which it is known when it comes twice
    at: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))
    user: _Text = ""  # PROVIDER:SUBJECT; "": nobody who is known
    login: _Text = ""  # for people
    action: _Text  # such as POST /v1/runs, or rollback
    subject: _Text = ""  # which run, pod or app and environment
    outcome: _Text = "ok"  # or a status of HTTP, or a word that says why not
    ip: _Text = ""
    details: Annotated[dict[str, str | int], BeforeValidator(_details)] = Field(default_factory=dict)


Send = Callable[[Sequence[UsageEvent]], None]


class SpoolError(TransientError):
    """An event cannot be written down; what it is about must not be done."""


@dataclass
class _Segment:
    """A file of events that only one process has, by a lock that ends with the process."""

    path: Path
    descriptor: int = field(repr=False)
    size: int = 0

    def remove(self) -> None:
        """Remove the file, and then let go of it."""
        self.path.unlink(missing_ok=True)
        os.close(self.descriptor)


class EventSpool:
    """Events on their way, in a folder that several processes may share. Several threads may record.

    Make it in the process that uses it, after any fork: a lock that two processes hold ends with the second one.
    """

    def __init__(self, folder: Path, send: Send, limit: int = MAX_SPOOL_BYTES) -> None:
        """`send` delivers events, or raises; `limit`: bytes of events in the folder that are not delivered yet."""
        self._folder, self._send, self._limit = folder, send, limit
        self._lock, self._stopping, self._woken = threading.Lock(), threading.Event(), threading.Event()
        self._current: _Segment | None = None
        self._closed: list[_Segment] = []  # whole, to be delivered; the oldest first
        self._backoff: Backoff[str] = Backoff(EVENTS_RETRY_SECONDS[0], EVENTS_RETRY_SECONDS[1])
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise SpoolError(f"events cannot be written down in {folder}: {error.strerror}") from None
        self._others = self._count_others()
        self._thread = threading.Thread(target=self._deliver_all, name="usage events", daemon=True)
        self._thread.start()

    @property
    def waiting_bytes(self) -> int:
        """Return how many bytes are not delivered yet."""
        with self._lock:
            return self._waiting()

    def record(self, event: UsageEvent) -> None:
        """Write an event down: when this returns, a kill does not lose it. Raises SpoolError when it cannot be."""
        line = event.model_dump_json().encode() + b"\n"
        with self._lock:
            if self._waiting() + len(line) > self._limit:
                what = f"{self._waiting():,} bytes of events wait in {self._folder}, as many as may"
                raise SpoolError(f"{what}: the usage server does not take them; see to it, then try again")
            try:
                self._current = self._current or self._begin()
                written = os.write(self._current.descriptor, line)
                if written != len(line):
                    os.ftruncate(self._current.descriptor, self._current.size)
                    raise SpoolError(f"events cannot be written down in {self._folder}: no room")
            except OSError as error:
                raise SpoolError(f"events cannot be written down in {self._folder}: {error.strerror}") from None
            self._current.size += written
        self._woken.set()

    def close(self, seconds: float = 2.0) -> None:
        """Try for a while to deliver what waits, and end; what is left is the next one's."""
        self._stopping.set()
        self._woken.set()
        self._thread.join(seconds)
        with self._lock:
            if not self._thread.is_alive():
                for segment in (*self._closed, *([self._current] if self._current else [])):
                    os.close(segment.descriptor)
                self._closed, self._current = [], None

    def _waiting(self) -> int:
        own = (*self._closed, *([self._current] if self._current else []))
        return self._others + sum(segment.size for segment in own)

    def _begin(self) -> _Segment:
        """Return a new file of our own."""
        while True:
            path = self._folder / f"{time.time_ns()}-{uuid.uuid4().hex}.jsonl"  # in the order of their beginning
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
            if _lock_file(descriptor):
                return _Segment(path, descriptor)
            os.close(descriptor)  # another one took it for a left-over, and removed it

    def _deliver_all(self) -> None:
        while True:
            ends = self._stopping.is_set()
            self._woken.clear()
            if not self._backoff.waits("send"):
                try:
                    self._adopt()
                    while segment := self._oldest():
                        self._deliver(segment)
                        with self._lock:
                            self._closed.pop(0).remove()
                    if self._backoff.succeeded("send"):
                        _log.info("events are delivered again")
                except (DppctlError, OSError) as error:
                    self._backoff.failed("send")
                    _log.warning("events wait", error=error, bytes=self.waiting_bytes)
                except Exception:  # noqa: BLE001 (whatever it is, the events stay)
                    self._backoff.failed("send")
                    _log.exception("events wait", bytes=self.waiting_bytes)
            if ends:
                return
            # Those that come meanwhile go together; a failure is tried again in time, news or not.
            if self._backoff.waits("send"):
                self._stopping.wait(EVENTS_RETRY_SECONDS[0])
            else:
                self._woken.wait(SPOOL_LOOK_SECONDS)

    def _oldest(self) -> _Segment | None:
        """Return what to deliver next; the file that is written to is closed for it when there is no other."""
        with self._lock:
            if not self._closed and self._current and self._current.size:
                self._closed.append(self._current)
                self._current = None
            return self._closed[0] if self._closed else None

    def _deliver(self, segment: _Segment) -> None:
        batch: list[UsageEvent] = []
        for event in read_events(segment.path):
            batch.append(event)
            if len(batch) == EVENTS_AT_ONCE:
                self._send(batch)
                batch = []
        if batch:
            self._send(batch)

    def _adopt(self) -> None:
        """Take the files whose process has ended."""
        for path in sorted(self._folder.glob("*.jsonl")):
            with suppress(FileNotFoundError):
                descriptor = os.open(path, os.O_RDWR | os.O_APPEND)
                if not _lock_file(descriptor):
                    os.close(descriptor)
                    continue
                segment = _Segment(path, descriptor, os.fstat(descriptor).st_size)
                with self._lock:
                    self._closed.append(segment)
                _log.info("events of an ended process found", file=path.name, bytes=segment.size)
        with self._lock:
            self._others = self._count_others()

    def _count_others(self) -> int:
        own = {segment.path for segment in (*self._closed, *([self._current] if self._current else []))}
        sizes = 0
        for path in self._folder.glob("*.jsonl"):
            with suppress(FileNotFoundError):
                sizes += 0 if path in own else path.stat().st_size
        return sizes


def read_events(path: Path) -> Iterator[UsageEvent]:
    """Yield the events of a file; half a line, which a crash left, is none."""
    with path.open("rb") as lines:
        for line in lines:
            try:
                yield UsageEvent.model_validate_json(line)
            except ValidationError as error:
                if line.endswith(b"\n"):
                    _log.error("not an event", file=path.name, error=error.errors(include_input=False)[0]["msg"])


def _lock_file(descriptor: int) -> bool:
    """Lock a file for this process; return whether nobody else has it and it is still there."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return os.fstat(descriptor).st_nlink > 0
