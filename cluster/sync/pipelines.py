"""Runs pipelines of a release, and tells on the way how far they are."""

import json
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bot.events import Receipt
from bot.values import Values
from cluster.errors import ClusterError
from cluster.local.worker_process import Place, WorkerProcess
from cluster.sync.environment import Release

TELL_SECONDS = 1.0
LOG_LINES = 2_000  # that wait to be told; a log that is longer loses its oldest lines
Event = dict[str, Any]


class Pipelines:
    """One run, from start to receipt."""

    def __init__(
        self,
        release: Release,
        values: Values,
        ids: Sequence[str],
        zipapp: Path,
        place: Place,
    ) -> None:
        """Start it in that place. The source is in the release."""
        self._release = release
        origin = {"source": values.source.model_dump(mode="json"), "image": values.image}
        self._worker = WorkerProcess(
            zipapp,
            place,
            release.source,
            ids,
            environment={
                "DPP_DB_ENGINE": f"sqlite:///{place.path(release.work_database)}",
                "DPPCTL_ORIGIN": json.dumps(origin),
            },
            receipt=release.receipt,
            verbose=True,
        )
        self._invalid: list[str] = []
        self._folders: dict[str, None] = {}

    def stop(self) -> None:
        """End it soon; there will be no receipt to speak of."""
        self._worker.stop()

    def follow(self) -> Iterator[tuple[str, str]]:
        """What to tell, about once a second until it ends: how far the pipelines are, and new lines of the log."""
        for events in _batches(self._worker.events(), TELL_SECONDS):
            steps: dict[str, str] = {}
            log = []
            for event in events:
                match event["event"]:
                    case "queued":
                        self._folders[event["folder"]] = None
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
                        self._invalid += [f"{error['where']}: {error['message']}" for error in event["errors"]]
            if steps or log:
                yield "\n".join(steps.values()), "".join(log)

    def receipt(self) -> Receipt:
        """What came out, once `follow` is exhausted. Raises ClusterError when the pipelines could not be run."""
        code = self._worker.wait()
        complaint = self._worker.complaint()
        self._release.check()
        try:
            return Receipt.model_validate_json(self._release.receipt.read_bytes())
        except FileNotFoundError:
            reason = "\n".join(self._invalid) or complaint or f"the worker ended with exit code {code}"
            raise ClusterError(reason) from None
        except ValidationError as error:
            raise ClusterError(f"the worker's receipt cannot be read: {error}") from None

    @property
    def spec_folders(self) -> tuple[str, ...]:
        """Where the specs of its pipelines are, within the source."""
        return tuple(self._folders)


def _batches(events: Iterable[Event], seconds: float) -> Iterator[list[Event]]:
    """What came, in lists, at most one for each `seconds`. A slow reader of them holds up nothing.

    What waits of the log is kept small: its oldest lines go, and an event says how many.
    """
    changed = threading.Condition()
    waiting: list[Event] = []
    ended = False

    def collect() -> None:
        nonlocal ended
        try:
            for event in events:
                with changed:
                    waiting.append(event)
                    if len(waiting) >= 2 * LOG_LINES:
                        waiting[:] = _shortened(waiting)
                    changed.notify()
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
            return


def _shortened(events: list[Event]) -> list[Event]:
    log = [event for event in events if event["event"] in ("log", "skipped_log")]
    gone = log[: max(0, len(log) - LOG_LINES)]
    if not gone:
        return events
    ids = set(map(id, gone))
    lines = sum(event.get("lines", 1) for event in gone)
    return [{"event": "skipped_log", "lines": lines}, *(event for event in events if id(event) not in ids)]
