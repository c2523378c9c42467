"""Tell open pages of each change by server-sent events; they ask for themselves again.

https://html.spec.whatwg.org/multipage/server-sent-events.html

Each answer ends at once, and the browser asks again after a while. So an open page holds no thread, any number of pages
may be live, and there is nothing to notice when one of them is gone.
"""

import re
from collections.abc import Callable

from flask import Response, request

from webhooks.limits import CHANGE_POLL_MILLISECONDS

_NUMBER = re.compile(r"[0-9]{1,18}")


class ChangeStream:
    """Answers pages that ask what has changed."""

    def __init__(self, change_number: Callable[[], int]) -> None:
        """Tell of changes of what `change_number` returns: how often something has changed, which must be cheap."""
        self._change_number = change_number

    def view(self) -> Response:
        """Answer `GET /events` with a `change` event, unless the page has seen the newest; and when to ask again."""
        seen = request.headers.get("Last-Event-ID") or request.args.get("since", "")
        number = self._change_number()
        is_seen = bool(_NUMBER.fullmatch(seen)) and int(seen) == number
        event = "" if is_seen else f"id: {number}\nevent: change\ndata: {number}\n\n"
        answer = Response(f"retry: {CHANGE_POLL_MILLISECONDS}\n\n{event}", mimetype="text/event-stream")
        answer.headers["Cache-Control"] = "no-store"
        return answer
