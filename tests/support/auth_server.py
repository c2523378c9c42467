"""The auth server's application on loopback, for those who ask it over HTTP; it can go away and come back."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.support.auth import AuthWorld


class _Silent(WSGIRequestHandler):
    def log(self, *_: Any, **__: Any) -> None:
        """Nothing."""


class ServedAuth:
    """Serves a world at `url`, the same one each time."""

    def __init__(self, world: AuthWorld) -> None:
        self.world = world
        self._port = 0
        self.asked: list[str] = []  # the paths of requests

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @contextmanager
    def running(self) -> Iterator["ServedAuth"]:
        """Have it answer in this context."""

        def application(environment: Any, start_response: Any) -> Any:
            self.asked.append(environment["PATH_INFO"])
            return DispatcherMiddleware(_not_found, {"/auth": self.world.app})(environment, start_response)

        server = make_server("127.0.0.1", self._port, application, threaded=True, request_handler=_Silent)
        self._port = server.server_port
        thread = threading.Thread(target=server.serve_forever, args=[0.02])
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


def _not_found(_: Any, start_response: Any) -> list[bytes]:
    start_response("404 NOT FOUND", [])
    return [b""]
