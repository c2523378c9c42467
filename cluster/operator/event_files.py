"""What happened in each run, one event on a line: for those who follow it, and for those who look later.

The file is all that there is: whoever follows a run reads on in it when it is told of a change, so that a slow reader
holds up nobody and costs no memory.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from bot.errors import PermanentError
from cluster.limits import EVENTS_PIECE_BYTES, MAX_RUN_EVENTS_BYTES, MAX_RUN_RESULTS_BYTES


class TooManyEventsError(PermanentError):
    """A run's worker tells more than is kept."""


class EventFiles:
    """A folder with a file for each run; all but `position_after` and `remove_others` for the thread of one loop."""

    def __init__(self, folder: Path) -> None:
        """Take the folder, which is made when it is not there."""
        self._folder = folder
        self._folder.mkdir(parents=True, exist_ok=True)
        self._newest: dict[str, tuple[int, bytes]] = {}  # by run: what was appended last, and where
        self._listeners: dict[str, set[asyncio.Event]] = defaultdict(set)
        self.dropped = 0  # events of all runs that were not written because a file was large already

    def open(self, uid: str) -> "EventFile":
        """Return the file of a run, to go on after its last whole line."""
        return EventFile(self, uid, self._path(uid))

    def has(self, uid: str) -> bool:
        """Return whether a run has a file."""
        return self._path(uid).exists()

    def read(self, uid: str, position: int) -> bytes:
        """Return whole lines of a run's file from a position on: b"" when there are no more now."""
        begin, newest = self._newest.get(uid, (-1, b""))
        if position == begin:
            return newest
        if position == begin + len(newest):
            return b""
        with suppress(FileNotFoundError), self._path(uid).open("rb") as file:
            file.seek(position)
            return file.read(EVENTS_PIECE_BYTES) + file.readline()
        return b""

    def position_after(self, uid: str, number: int) -> int:
        """Return where the events after this number begin in a run's file."""
        position = found = 0
        if number:
            with suppress(FileNotFoundError), self._path(uid).open("rb") as file:
                for line in file:
                    position += len(line)
                    seen = json.loads(line).get("number", 0) if line.endswith(b"\n") else number + 1
                    if seen > number:
                        break
                    if seen:
                        found = position
        return found

    @contextmanager
    def listen(self, uid: str) -> Iterator[asyncio.Event]:
        """Have an event in this context that is set whenever there is news of a run."""
        changed = asyncio.Event()
        self._listeners[uid].add(changed)
        try:
            yield changed
        finally:
            self._listeners[uid].discard(changed)
            if not self._listeners[uid]:
                del self._listeners[uid]

    def appended(self, uid: str, position: int, lines: bytes) -> None:
        """Take note of what was appended to a run's file: all who follow it want just that."""
        self._newest[uid] = position, lines
        self.tell(uid)

    def tell(self, uid: str) -> None:
        """Wake those who listen to a run."""
        for changed in self._listeners.get(uid, ()):
            changed.set()

    def remove_others(self, uids: Collection[str]) -> None:
        """Remove the files of all runs but these."""
        for path in self._folder.glob("*.jsonl"):
            if path.stem not in uids:
                self._newest.pop(path.stem, None)
                path.unlink(missing_ok=True)

    def _path(self, uid: str) -> Path:
        return self._folder / f"{uid}.jsonl"


class EventFile:
    """The events of one run; written by one task."""

    def __init__(self, files: EventFiles, uid: str, path: Path) -> None:
        """Open the file, and remove half a line that a kill may have left."""
        self._files, self._uid, self._path = files, uid, path
        path.touch()
        kept = path.read_bytes()
        whole = kept[: kept.rfind(b"\n") + 1]
        if len(whole) != len(kept):
            with path.open("r+b") as file:
                file.truncate(len(whole))
        self._size = len(whole)
        self._dropped = {"log": 0, "progress": 0}
        numbers = (json.loads(line).get("number", 0) for line in reversed(whole.splitlines()))
        self.last = next(filter(None, numbers), 0)  # they grow, and few lines have none

    def events(self) -> list[dict[str, Any]]:
        """Return what was written so far, without lines of logs."""
        lines = self._path.read_bytes().splitlines()
        return [json.loads(line) for line in lines if not line.startswith(b'{"event": "log"')]

    def append(self, event: dict[str, Any]) -> None:
        """Write an event; a line of a log and progress not, when the file is large already: then how many those were.

        They are told before the next event that is written, as the worker tells a slow reader of lines that it missed.
        Raises TooManyEventsError for others in a file that is much larger still.
        """
        line = json.dumps(event).encode() + b"\n"
        self.last = event.get("number", self.last)
        kind = event.get("event")
        if kind in self._dropped and self._size + len(line) > MAX_RUN_EVENTS_BYTES:
            self._dropped[kind] += 1
            self._files.dropped += 1
            return
        if self._size + len(line) > MAX_RUN_EVENTS_BYTES + MAX_RUN_RESULTS_BYTES and kind != "closed":
            most = MAX_RUN_RESULTS_BYTES
            raise TooManyEventsError(f"the worker tells more than {most:,} bytes besides the log and progress")
        if any(self._dropped.values()):
            missed = {"event": "skipped_log", "time": event.get("time"), "lines": self._dropped["log"]}
            line = json.dumps({**missed, "progress": self._dropped["progress"]}).encode() + b"\n" + line
            self._dropped = dict.fromkeys(self._dropped, 0)
        with self._path.open("ab") as file:
            file.write(line)
        self._files.appended(self._uid, self._size, line)
        self._size += len(line)
