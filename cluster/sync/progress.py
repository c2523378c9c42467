"""What a worker's events say to people: how far the pipelines are, about once a second, and the lines of the log."""

import threading
import time
from collections.abc import Iterable, Iterator

from cluster.limits import MAX_PROGRESS_LINES, MAX_TOLD_EVENTS, PROGRESS_SECONDS
from cluster.worker_events import Event, in_short

_LOG = ("log", "skipped_log")


class Progress:
    """How far the pipelines of one run are."""

    def __init__(self) -> None:
        self.invalid: list[str] = []  # what is wrong with the workload, and where
        self.last: Event = {}  # of the events that were yielded

    def follow(self, events: Iterable[Event]) -> Iterator[tuple[str, str]]:
        """Yield, until the events end, how far the pipelines are and new lines of the log."""
        for batch in batches(map(_short, events), PROGRESS_SECONDS):
            steps: dict[str, str] = {}
            log = []
            for event in batch:
                match event.get("event"):
                    case "progress":
                        steps[event["pipeline"]] = f"{event['pipeline']}: {event['rows']} rows"
                    case "finished":
                        result = event["result"]
                        steps[result["id"]] = f"{result['id']}: {result['status']}, {result['rows']} rows"
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

    What waits is kept small: the log's oldest lines go, and an event says how many; of very many others the oldest.
    """
    changed = threading.Condition()
    waiting: list[Event] = []
    ended = False
    broke: Exception | None = None

    def collect() -> None:
        nonlocal ended, broke
        most = 2 * MAX_PROGRESS_LINES
        try:
            for event in events:
                with changed:
                    waiting.append(event)
                    if len(waiting) >= most:
                        waiting[:] = _shortened(waiting)
                        most = 2 * max(MAX_PROGRESS_LINES, len(waiting))
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
    log = [event for event in events if event.get("event") in _LOG]
    others = [event for event in events if event.get("event") not in _LOG]
    gone = log[: max(0, len(log) - MAX_PROGRESS_LINES)]
    ids = set(map(id, [*gone, *others[: max(0, len(others) - MAX_TOLD_EVENTS)]]))
    kept = [event for event in events if id(event) not in ids]
    lines = sum(event.get("lines", 1) for event in gone)
    return [{"event": "skipped_log", "lines": lines}, *kept] if lines else kept


def _short(event: Event) -> Event:
    """Return what is shown of an event, and of the log of a Job its position."""
    return in_short(event) | ({"position": event["position"]} if "position" in event else {})
