"""What happened in each run, one event on a line: for those who look later, when its worker is gone."""

import json
from pathlib import Path
from typing import Any

from cluster.limits import MAX_RUN_EVENTS_BYTES


class EventFile:
    """The events of one run; written by one task."""

    def __init__(self, folder: Path, uid: str) -> None:
        """Open the run's file in the folder, and go on after its last whole line."""
        self._path = folder / f"{uid}.jsonl"
        folder.mkdir(parents=True, exist_ok=True)
        kept = self._path.read_bytes() if self._path.exists() else b""
        whole = kept[: kept.rfind(b"\n") + 1]  # a kill may have left half a line
        with self._path.open("wb" if len(whole) != len(kept) else "ab") as file:
            if len(whole) != len(kept):
                file.write(whole)
        self._size = len(whole)
        self.last = max((json.loads(line).get("number", 0) for line in whole.splitlines()), default=0)

    def append(self, event: dict[str, Any]) -> None:
        """Write an event; a line of a log not, when the file is large already."""
        line = json.dumps(event).encode() + b"\n"
        self.last = event.get("number", self.last)
        if event.get("event") in ("log", "progress") and self._size + len(line) > MAX_RUN_EVENTS_BYTES:
            return
        with self._path.open("ab") as file:
            file.write(line)
        self._size += len(line)
