"""sync elsewhere is woken by HTTP: a real server on loopback, or none."""

import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from structlog.typing import EventDict

from bot.sync_waker import SyncWaker
from tests.support.waiting import BUSY, eventually


class Sync(HTTPServer):
    """Notes what it is asked; waits for `answers` before it answers."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[str, str | None]] = []
        self.answers = threading.Event()
        self.code = 202


class _Handler(BaseHTTPRequestHandler):
    server: Sync

    def do_POST(self) -> None:
        self.server.asked.append((self.path, self.headers["Authorization"]))
        self.server.answers.wait(10)
        self.send_response(self.server.code)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def sync() -> Iterator[Sync]:
    server = Sync()
    thread = threading.Thread(target=server.serve_forever, args=[0.02])
    thread.start()
    yield server
    server.answers.set()
    server.shutdown()
    thread.join()
    server.server_close()


def test_it_is_told_with_the_token_and_many_calls_while_it_is_busy_are_one(sync: Sync) -> None:
    waker = SyncWaker(f"http://127.0.0.1:{sync.server_port}", "t0ken")
    waker.wake()
    eventually(lambda: sync.asked == [("/wake", "Bearer t0ken")], "it is told")
    start = time.monotonic()
    for _ in range(100):
        waker.wake()
    assert time.monotonic() - start < 1 * BUSY
    sync.answers.set()
    eventually(lambda: len(sync.asked) == 2, "it is told once more")
    waker.stop()


def test_one_that_refuses_is_one_line_without_the_token(sync: Sync, warned: list[EventDict]) -> None:
    sync.code = 401
    sync.answers.set()
    waker = SyncWaker(f"http://127.0.0.1:{sync.server_port}", "t0ken")
    waker.wake()
    eventually(lambda: warned, "it is said")
    assert warned[0]["event"] == "sync is not woken"
    assert "401" in warned[0]["error"]
    assert "t0ken" not in str(warned)
    waker.stop()


def test_one_that_is_away_holds_up_nobody(warned: list[EventDict]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        waker = SyncWaker(f"http://127.0.0.1:{taken.getsockname()[1]}", "t0ken")
        waker.wake()
        eventually(lambda: len(warned) == 1, "it is said")
        waker.wake()
        eventually(lambda: len(warned) == 2, "it goes on")
    waker.stop()
