"""gunicorn's threaded worker with a time until which a request must have come; its own waits as long as bytes trickle.

https://docs.gunicorn.org/en/stable/settings.html#worker-class
"""

import gc
import socket
import threading
import time
from contextlib import suppress
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

from webhooks.limits import BODY_SECONDS, DEADLINE_POLL_SECONDS, HEADER_SECONDS


class DeadlineWorker(ThreadWorker):  # type: ignore[misc]
    """Reads no more of a request when its time is over; the answer may take as long as it does."""

    def init_process(self) -> None:
        """Watch the requests that are being read."""
        self._deadlines: dict[Any, float] = {}  # by connection
        threading.Thread(target=self._watch, name="deadlines", daemon=True).start()
        super().init_process()

    def load_wsgi(self) -> None:
        """Load the application, and leave it out of what is looked through for garbage: that takes 50 ms each time."""
        super().load_wsgi()
        gc.collect()
        gc.freeze()

    def handle(self, conn: Any) -> Any:
        """Answer one request of a connection, in a thread."""
        self._deadlines[conn] = time.monotonic() + HEADER_SECONDS
        try:
            return super().handle(conn)
        finally:
            self._deadlines.pop(conn, None)

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Answer a request whose headers are read."""
        self._deadlines[conn] = time.monotonic() + BODY_SECONDS
        return super().handle_request(req, conn)

    def _watch(self) -> None:
        while True:
            time.sleep(DEADLINE_POLL_SECONDS)
            now = time.monotonic()
            for conn in [conn for conn, deadline in self._deadlines.copy().items() if deadline < now]:
                self._deadlines.pop(conn, None)
                with suppress(OSError):  # it has ended meanwhile
                    conn.sock.shutdown(socket.SHUT_RD)  # who waits for more of it reads its end
