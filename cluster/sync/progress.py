"""What a worker's events say to people: how far the pipelines are, about once a second, and the lines of the log."""

import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any

from cluster.limits import MAX_PROGRESS_LINES, PROGRESS_SECONDS

Event = dict[str, Any]


class Progress:
    """How far the pipelines of one run are."""

    def __init__(self) -> None:
        self.invalid: list[str] = []  # what is wrong with the workload, and where
        self.last: Event = {}  # of the events that were yielded

    def follow(self, events: Iterable[Event]) -> Iterator[tuple[str, str]]:
        """Yield, until the events end, how far the pipelines are and new lines of the log."""
        for batch in batches(events, PROGRESS_SECONDS):
            steps: dict[str, str] = {}
            log = []
            for event in batch:
                match event["event"]:
                    case "progress":
                        steps[event["pipeline"]] = f"{event['pipeline']}: {event['rows']} rows"
                    case "finished":
                        result = event["result"]
                        steps[result["id"]] = f"{result['id']}: {result['status']}, {result['rows'] or 0} rows"
                    case "log":
                        log.append(f"{event['pipeline']}: {event['line']}\n")
                    case "skipped_log":
                        log.append(f"({event['lines']} lines left out)\n")
                    case "invalid":
                        self.invalid += [f"{error['where']}: {error['message']}" for error in event["errors"]]
            self.last = batch[-1]
            if steps or log:
                yield "\n".join(steps.values()), "".join(log)


def batches(events: Iterable[Event], seconds: float) -> Iterator[list[Event]]:
    """Yield what came, in lists, at most one for each `seconds`. A slow reader of them holds up nothing.

    What `events` raises is raised at the end.

    What waits of the log is kept small: its oldest lines go, and an event says how many.
    """
    changed = threading.Condition()
    waiting: list[Event] = []
    ended = False
    broke: Exception | None = None

    def collect() -> None:
        nonlocal ended, broke
        try:
            for event in events:
                with changed:
                    waiting.append(event)
                    if len(waiting) >= 2 * MAX_PROGRESS_LINES:
                        waiting[:] = _shortened(waiting)
                    changed.notify()
        except Exception as error:  # noqa: BLE001 (it is raised where the events are read)
            broke = error
        finally:
            with changed:
                ended = True
                changed.notify()

    threading.Thread(target=collect, daemon=True).start()
    while True:
        due = time.monotonic() + seconds
        with changed:
            changed.wait_for(lambda: ended, max(0.0, due - time.monotonic()))
            changed.wait_for(lambda: ended or waiting)
            batch, last = list(waiting), ended
            waiting.clear()
        if batch:
            yield _shortened(batch)
        if last:
            if broke:
                raise broke
            return


def _shortened(events: list[Event]) -> list[Event]:
    log = [event for event in events if event["event"] in ("log", "skipped_log")]
    gone = log[: max(0, len(log) - MAX_PROGRESS_LINES)]
    if not gone:
        return events
    ids = set(map(id, gone))
    lines = sum(event.get("lines", 1) for event in gone)
    return [{"event": "skipped_log", "lines": lines}, *(event for event in events if id(event) not in ids)]
