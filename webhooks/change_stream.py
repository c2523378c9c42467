"""Tell open pages of each change by server-sent events; they ask for themselves again.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import re
import threading
import time
from collections.abc import Callable, Iterator

from flask import Response, request
from werkzeug.exceptions import ServiceUnavailable

from webhooks.limits import CHANGE_POLL_SECONDS, COMMENT_SECONDS, MAX_LIVE_PAGES

_NUMBER = re.compile(r"[0-9]{1,18}")


class ChangeStream:
    """Streams to a limited number of pages."""

    def __init__(self, change_number: Callable[[], int]) -> None:
        """Tell of changes of what `change_number` returns: how often something has changed, which must be cheap."""
        self._change_number = change_number
        self._room = threading.BoundedSemaphore(MAX_LIVE_PAGES)

    def view(self) -> Response:
        """Answer `GET /events`. Raises ServiceUnavailable when too many listen; then the page asks now and then."""
        seen = request.headers.get("Last-Event-ID") or request.args.get("since", "")
        if not self._room.acquire(blocking=False):
            raise ServiceUnavailable(f"{MAX_LIVE_PAGES} pages are live already")
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
            elif time.monotonic() - sent > COMMENT_SECONDS:
                sent = time.monotonic()
                yield ":\n\n"
            time.sleep(CHANGE_POLL_SECONDS)
