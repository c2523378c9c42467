"""Answer `/healthz`, `/readyz` and `/metrics`, for Kubernetes and Prometheus: the same application in every server.

The receiver has it among its views; the bot and sync, which have no other pages, serve it with `HttpServer`.
"""

import json
import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer
from prometheus_client.registry import Collector
from werkzeug.wrappers import Response

from bot.errors import DppctlError
from bot.limits import HTTP_SECONDS

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Check = Callable[[], str | None]  # returns what is wrong; None: nothing is


class Probes:
    """A WSGI application, `respond`, made of what a server says of itself."""

    def __init__(self, healthy: Check, ready: Check | None = None, metrics: Collector | None = None) -> None:
        """Answer `/healthz`, and `/readyz` and `/metrics` where they are given, by these checks and this collector."""
        self._checks = {"/healthz": healthy, **({"/readyz": ready} if ready else {})}
        self._metrics: WSGIApplication | None = None
        if metrics:
            registry = CollectorRegistry()
            registry.register(metrics)
            self._metrics = make_wsgi_app(registry)

    def respond(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer a request (https://peps.python.org/pep-3333/): 200, 503 with what is wrong, or 404."""
        path = environ["PATH_INFO"]
        if path == "/metrics" and self._metrics:
            return self._metrics(environ, start_response)
        if path not in self._checks or environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return json_response(404, error="not found")(environ, start_response)
        problem = self._checks[path]()
        response = json_response(503, error=problem) if problem else json_response(200, status="ok")
        return response(environ, start_response)


def json_response(code: int, **body: str) -> Response:
    """Return an answer with a JSON object."""
    return Response(json.dumps(body), code, mimetype="application/json")


class ProgressCheck:
    """Notices that a number which should change now and then does not."""

    def __init__(self, progress: Callable[[], int], stuck_seconds: float) -> None:
        """Take it for stuck when `progress()` has been the same for so long."""
        self._progress = progress
        self._stuck_seconds = stuck_seconds
        self._seen = progress()
        self._changed = time.monotonic()
        self._lock = threading.Lock()

    def problem(self) -> str | None:
        """Return since when nothing has happened, if that is too long."""
        with self._lock:
            now, progress = time.monotonic(), self._progress()
            if progress != self._seen:
                self._seen, self._changed = progress, now
            still = now - self._changed
        return None if still < self._stuck_seconds else f"nothing has happened for {still:.0f} seconds"


class HttpServer:
    """Serves a small WSGI application from threads of its own, from its making until `close`."""

    def __init__(self, host: str, port: int, application: "WSGIApplication") -> None:
        """Listen; `port` 0 is any free one. Raises DppctlError when the address cannot be used."""
        try:
            self._server = make_server(host, port, application, ThreadingWSGIServer, _ProbeHandler)
        except OSError as error:
            raise DppctlError(f"DPPCTL_HOST {host}, DPPCTL_PORT {port}: {error.strerror}") from None
        self.address = f"http://{host}:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=[0.2], name="http", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Answer nothing any more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _ProbeHandler(WSGIRequestHandler):
    timeout = HTTP_SECONDS

    def log_message(self, *_: object) -> None:
        """Log nothing: probes come every few seconds."""
