"""A pod's log, as the API server gives it out; that of tests has no node that it could ask."""

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any


class Log:
    """A line each second, and no end before the container's."""

    def __init__(self) -> None:
        self._lines: list[bytes] = []
        self._changed = threading.Condition()
        self._ended = False

    def write(self, line: str) -> None:
        event = json.dumps({"event": "log", "pipeline": "./one", "line": line})
        with self._changed:
            self._lines.append(f"2026-01-01T00:00:{len(self._lines):02}.5Z {event}".encode())
            self._changed.notify_all()

    def end(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def lines(self, _path: str, _seconds: float, opened: Callable[[Any], None], **query: object) -> Iterator[bytes]:
        if "tailLines" in query:
            return
        reader = Reader(self._changed)
        opened(reader)
        since = str(query.get("sinceTime", ""))
        read: list[bytes] = []

        def is_more() -> bool:
            return len(self._lines) > len(read) or self._ended or reader.gone

        while True:
            with self._changed:
                self._changed.wait_for(is_more)
                new = self._lines[len(read) :]
            if not new:
                return
            read += new
            yield from (line for line in new if line[:19].decode() >= since[:19])


class Reader:
    """The answer whose lines are read."""

    def __init__(self, changed: threading.Condition) -> None:
        self.gone = False
        self._changed = changed

    def shutdown(self) -> None:
        with self._changed:
            self.gone = True
            self._changed.notify_all()
