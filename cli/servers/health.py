"""A server of one page: does something go on? For Kubernetes, which restarts what does not.

HTTP and not a file that is touched: the kubelet asks by itself, where a look at a file starts a process in the
container each time.
"""

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from bot.errors import DppctlError
from bot.limits import STUCK_SECONDS


class Health:
    """Answers `GET /healthz`: 200 as long as the number that `progress` gives changes now and then, then 503."""

    def __init__(self, host: str, port: int, progress: Callable[[], int], stuck: float = STUCK_SECONDS) -> None:
        """Listen on the address. Raises DppctlError when it cannot be used."""
        self._progress = progress
        self._stuck = stuck
        self._seen = progress()
        self._when = time.monotonic()
        self._turn = threading.Lock()
        health = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 10

            def do_GET(self) -> None:
                code, what = health.answer() if self.path == "/healthz" else (404, "there is only /healthz")
                body = json.dumps({"status": what}).encode()
                self.send_response(code)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        try:
            self._server = ThreadingHTTPServer((host, port), Handler)
        except OSError as error:
            raise DppctlError(f"DPPCTL_HOST {host}, DPPCTL_PORT {port}: {error.strerror}") from None
        self._server.daemon_threads = True
        self._runs = False
        self.address = f"http://{host}:{self._server.server_port}"

    def answer(self) -> tuple[int, str]:
        """Return the code and the status."""
        with self._turn:
            now, seen = time.monotonic(), self._progress()
            if seen != self._seen:
                self._seen, self._when = seen, now
            still = now - self._when
        return (200, "ok") if still < self._stuck else (503, f"nothing has happened for {still:.0f} seconds")

    def run(self) -> None:
        """Answer until `stop`."""
        self._runs = True
        self._server.serve_forever(0.2)

    def stop(self) -> None:
        """End it, also when it never ran."""
        if self._runs:
            self._server.shutdown()
        self._server.server_close()
