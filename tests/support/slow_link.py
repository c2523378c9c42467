"""A slow connection with a server on loopback: it lets so many bytes a second through, and may stop altogether."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from socketserver import BaseRequestHandler, ThreadingTCPServer
from urllib.parse import urlsplit

from tests.support.serving import in_thread

_TICK = 0.05


@contextmanager
def slow_link(url: str, bytes_a_second: int, stops_after: int | None = None) -> Iterator[str]:
    """The server's URL by way of the link; `stops_after`: bytes of its answers, after which nothing comes any more."""
    parts = urlsplit(url)
    ended = threading.Event()
    passed = 0

    class Link(BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection((parts.hostname, parts.port or 80)) as server:
                threading.Thread(target=self.forward, args=(self.request, server), daemon=True).start()
                with suppress(OSError):
                    while chunk := server.recv(int(bytes_a_second * _TICK)):
                        nonlocal passed
                        if stops_after is not None and (passed := passed + len(chunk)) > stops_after:
                            ended.wait()
                        self.request.sendall(chunk)
                        time.sleep(_TICK)

        def forward(self, client: socket.socket, server: socket.socket) -> None:
            with suppress(OSError):
                while chunk := client.recv(2**16):
                    server.sendall(chunk)

    class Server(ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

    server = Server(("127.0.0.1", 0), Link)
    with in_thread(server):
        yield f"{parts.scheme}://127.0.0.1:{server.server_address[1]}"
        ended.set()
