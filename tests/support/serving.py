"""A server on loopback whose every answer is a function: for what a real component does not do when asked to."""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import BaseServer


@dataclass(frozen=True)
class Request:
    """What was asked."""

    method: str
    path: str  # with the query
    authorization: str | None
    cookie: str | None = None
    body: bytes = b""


@dataclass(frozen=True)
class Reply:
    """What to answer."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


@contextmanager
def serving(
    answer: Callable[[Request], Reply], certificate: Path | None = None, host: str = "127.0.0.1"
) -> Iterator[str]:
    """The server's HOST:PORT; it ends with the block. `certificate`: a file with it and its key, for TLS."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            headers = self.headers["Authorization"], self.headers["Cookie"]
            reply = answer(Request(self.command, self.path, *headers, body))
            self.send_response(reply.status)
            for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(reply.body)

        do_HEAD = do_POST = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Silent."""

    server = ThreadingHTTPServer((host, 0), Handler)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    with in_thread(server):
        yield f"{host}:{server.server_port}"


@contextmanager
def in_thread(server: BaseServer) -> Iterator[None]:
    """It serves until the block's end, and is closed then."""
    thread = threading.Thread(target=server.serve_forever, args=[0.02])
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
