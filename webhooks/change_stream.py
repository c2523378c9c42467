"""Tell open pages of each change by server-sent events; they ask for themselves again.

https://html.spec.whatwg.org/multipage/server-sent-events.html

Each answer ends at once, and the browser asks again after a while. So an open page holds no thread, any number of pages
may be live, and there is nothing to notice when one of them is gone. When many are live, each is told to ask later: so
what they cost together stays the same, and nobody else waits for them.
"""

import re
import threading
import time
from collections.abc import Callable

from flask import Response, request

from webhooks.limits import CHANGE_POLL_SECONDS, CHANGE_QUESTIONS, MAX_CHANGE_POLL_SECONDS

_NUMBER = re.compile(r"[0-9]{1,18}")


class ChangeStream:
    """Answers pages that ask what has changed."""

    def __init__(self, change_number: Callable[[], int]) -> None:
        """Tell of changes of what `change_number` returns: how often something has changed, which must be cheap."""
        self._change_number = change_number
        self._last = 0.0  # when the last of those asks again who have asked
        self._telling = threading.Lock()

    def view(self) -> Response:
        """Answer `GET /events` with a `change` event, unless the page has seen the newest; and when to ask again."""
        seen = request.headers.get("Last-Event-ID") or request.args.get("since", "")
        number = self._change_number()
        is_seen = bool(_NUMBER.fullmatch(seen)) and int(seen) == number
        event = "" if is_seen else f"id: {number}\nevent: change\ndata: {number}\n\n"
        answer = Response(f"retry: {self._wait() * 1000:.0f}\n\n{event}", mimetype="text/event-stream")
        answer.headers["Cache-Control"] = "no-store"
        return answer

    def _wait(self) -> float:
        """Return in how many seconds a page asks again: they come one after the other, evenly."""
        now = time.monotonic()
        with self._telling:
            soon, turn = now + CHANGE_POLL_SECONDS, self._last + 1 / CHANGE_QUESTIONS
            self._last = min(max(soon, turn), now + MAX_CHANGE_POLL_SECONDS)
            return self._last - now
