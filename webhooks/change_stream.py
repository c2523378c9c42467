"""Server-sent events: a page that is open hears of each change, and asks for itself again.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import re
import threading
import time
from collections.abc import Callable, Iterator

from flask import Response, request
from werkzeug.exceptions import ServiceUnavailable

MAX_LIVE = 8  # pages for each process: every one holds a thread, and deliveries need some too
_POLL_SECONDS = 0.5
_NUMBER = re.compile(r"[0-9]{1,18}")
_COMMENT_SECONDS = 15.0  # something is sent at least so often: only so is it noticed that a page is gone


class ChangeStream:
    """The view of `/events`; `change_number` tells, cheaply, how often something has changed."""

    def __init__(self, change_number: Callable[[], int]) -> None:
        self._change_number = change_number
        self._room = threading.BoundedSemaphore(MAX_LIVE)

    def __call__(self) -> Response:
        """503 when there is no room; then the page asks every few seconds."""
        seen = request.headers.get("Last-Event-ID") or request.args.get("since", "")
        if not self._room.acquire(blocking=False):
            raise ServiceUnavailable(f"{MAX_LIVE} pages are live already")
        answer = Response(self._changes(int(seen) if _NUMBER.fullmatch(seen) else -1), mimetype="text/event-stream")
        answer.call_on_close(self._room.release)  # also when the page went before the first change
        answer.headers["Cache-Control"] = "no-store"
        answer.headers["X-Accel-Buffering"] = "no"  # for nginx
        return answer

    def _changes(self, seen: int) -> Iterator[str]:
        yield "retry: 1000\n\n"
        sent = time.monotonic()
        while True:
            now = self._change_number()
            if now != seen:
                seen, sent = now, time.monotonic()
                yield f"id: {now}\nevent: change\ndata: {now}\n\n"
            elif time.monotonic() - sent > _COMMENT_SECONDS:
                sent = time.monotonic()
                yield ":\n\n"
            time.sleep(_POLL_SECONDS)
