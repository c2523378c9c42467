"""A proxy on loopback before a real API server: chosen calls fail, as an overloaded or a strict one has them fail."""

import http.client
import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from bot.kubernetes import KubernetesClient
from tests.support.serving import in_thread

STATUSES = {401: "Unauthorized", 403: "Forbidden", 404: "", 409: "Conflict", 410: "Expired", 429: "TooManyRequests",
            500: "InternalError", 503: "ServiceUnavailable", 504: "Timeout"}  # fmt: skip
BROKEN, HANGS, LOGIN_PAGE, ODD = "broken JSON", "hangs", "a login page", "another object"
DOWN = "down"  # as a server that restarts: connections end, those that are open too
FAULTS: tuple[int | str, ...] = (401, 403, 410, 429, 500, 504, BROKEN, HANGS, 404, 503, LOGIN_PAGE, ODD)
_HOP = {"transfer-encoding", "connection", "content-length", "host", "accept-encoding", "authorization"}


def some_faults(number: int, of: int) -> tuple[int | str, ...]:
    """Return what could be taken for an answer, and every `of`th of the others, from `number` on.

    That an error is one is decided in one place for all calls (bot/kubernetes.py, with tests for each status), so each
    call need not be tried with each of them.
    """
    answers = (404, LOGIN_PAGE, ODD)
    return (*[kind for kind in FAULTS if kind not in answers][number % of :: of], *answers)


@dataclass
class Fault:
    """What is to fail: calls of these methods whose path, with its query, matches."""

    methods: str  # such as `GET PATCH`
    path: re.Pattern[str]
    kind: int | str
    left: float  # that many calls more
    hits: int = 0


class FaultyApi:
    """Its kubeconfig file leads to the API server by way of this."""

    def __init__(self, kubeconfig: str, folder: Path) -> None:
        """Take the kubeconfig file of the API server."""
        client = KubernetesClient(kubeconfig)
        self._configuration = client.configuration
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self.released = threading.Event()  # those that hang
        self.seen: list[str] = []
        self._delay = 0.0
        self._open: set[socket.socket] = set()  # calls that are being answered
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def handle_call(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                outer.answer(self, body)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_call  # noqa: N815

            def log_message(self, *_: object) -> None:
                """Silent."""

        class Server(ThreadingHTTPServer):
            request_queue_size = 128  # with 5 a busy machine lets connections wait for a second, and then for three

        self.server = Server(("127.0.0.1", 0), Handler)
        self.kubeconfig = str(folder / "faulty-kubeconfig")
        address = f"http://127.0.0.1:{self.server.server_port}"
        content = {
            "apiVersion": "v1", "kind": "Config", "current-context": "c", "users": [{"name": "u", "user": {}}],
            "clusters": [{"name": "c", "cluster": {"server": address}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        }  # fmt: skip
        Path(self.kubeconfig).write_text(json.dumps(content))

    @contextmanager
    def failing(self, methods: str, path: str, kind: int | str, times: float = float("inf")) -> Iterator[Fault]:
        """Have such calls fail, at most `times` of them, as long as the block."""
        fault = Fault(methods, re.compile(path), kind, times)
        with self._lock:
            self._faults.append(fault)
            for connection in self._open if kind == DOWN else ():
                with suppress(OSError):  # whoever asked has gone
                    connection.shutdown(socket.SHUT_RDWR)
        try:
            yield fault
        finally:
            with self._lock:
                self._faults.remove(fault)

    @contextmanager
    def slow(self, seconds: float) -> Iterator[None]:
        """Have each call take so much longer, as long as the block."""
        self._delay = seconds
        try:
            yield
        finally:
            self._delay = 0.0

    def answer(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        """Pass a call on, or fail it."""
        time.sleep(self._delay)
        with self._lock:
            self.seen.append(f"{handler.command} {handler.path}")
            for fault in self._faults:
                if handler.command in fault.methods.split() and fault.path.search(handler.path) and fault.left > 0:
                    fault.left -= 1
                    fault.hits += 1
                    break
            else:
                fault = None
        if fault is None:
            self._pass_on(handler, body)
        elif fault.kind == DOWN:
            handler.close_connection = True
        elif fault.kind == HANGS:
            self.released.wait(60)
            handler.close_connection = True
        else:
            _reply(handler, *_failure(fault.kind))

    def _pass_on(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        parts = urlsplit(self._configuration.host)
        context = ssl.create_default_context(cafile=self._configuration.ssl_ca_cert)
        connection = http.client.HTTPSConnection(parts.hostname or "", parts.port, context=context, timeout=120)
        headers = {name: value for name, value in handler.headers.items() if name.lower() not in _HOP}
        headers["Authorization"] = self._configuration.get_api_key_with_prefix("authorization", "BearerToken") or str(
            self._configuration.api_key.get("authorization", "")
        )
        try:
            with self._lock:
                self._open.add(handler.connection)
            connection.request(handler.command, handler.path, body or None, headers)
            answer = connection.getresponse()
            handler.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in _HOP:
                    handler.send_header(name, value)
            handler.end_headers()
            while chunk := answer.read1(65536):
                handler.wfile.write(chunk)
                handler.wfile.flush()
        except OSError:  # whoever asked has gone
            handler.close_connection = True
        finally:
            with self._lock:
                self._open.discard(handler.connection)
            connection.close()


@contextmanager
def faulty_api(kubeconfig: str, folder: Path) -> Iterator[FaultyApi]:
    """Give the proxy, which ends with the block."""
    api = FaultyApi(kubeconfig, folder)
    api.server.daemon_threads = True
    api.server.block_on_close = False
    with in_thread(api.server):
        try:
            yield api
        finally:
            api.released.set()


def _failure(kind: int | str) -> tuple[int, str, bytes]:
    if kind == BROKEN:
        return 200, "application/json", b'{"kind": "SecretList", "items": ['
    if kind == LOGIN_PAGE:
        return 200, "text/html", b"<html>Log in, please"
    if kind == ODD:
        return 200, "application/json", b'{"answer": "none of Kubernetes"}'
    if kind == 404:
        return 404, "text/plain", b"404 page not found"  # as a proxy says, or a server that has not read its APIs yet
    reason = STATUSES[int(kind)]
    status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": f"a passing {kind}",
              "reason": reason, "code": kind}  # fmt: skip
    return int(kind), "application/json", json.dumps(status).encode()


def _reply(handler: BaseHTTPRequestHandler, status: int, content: str, body: bytes) -> None:
    handler.send_response(status)
    handler.send_header("Content-Type", content)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)
