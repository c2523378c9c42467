"""The storage server within another process: a thread that takes connections, and one for each request.

It is for this machine, or a few people; `dppctl storage-server` has gunicorn.
"""

import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from cluster.storage.limits import SERVER_THREADS, SILENT_SECONDS, THREAD_SECONDS

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def serve_in_thread(listening: socket.socket, application: "WSGIApplication") -> Callable[[], None]:
    """Serve on a socket that listens already and stays the caller's. Returns what ends it."""
    host, port = listening.getsockname()[:2]
    server = _ThreadServer(host, port, application, _Handler, fd=listening.fileno())
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="storage", daemon=True)
    thread.start()

    def stop() -> None:
        server.shutdown()
        thread.join()

    return stop


class _ThreadServer(ThreadedWSGIServer):
    """So many requests at a time; who waits too long for a thread is sent away."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self._free = threading.Semaphore(SERVER_THREADS)
        super().__init__(*arguments, **named)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._free.acquire(timeout=THREAD_SECONDS):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()


class _Handler(WSGIRequestHandler):
    timeout = SILENT_SECONDS

    def version_string(self) -> str:
        return "dppctl"

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002
        """Drop what is no error: nobody reads it."""
        if type == "error":
            super().log(type, message, *args)
