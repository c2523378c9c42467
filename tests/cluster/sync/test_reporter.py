"""Reports over HTTP: a receiver that is away for a while gets them all the same."""

import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from bot.model.reports import SyncEvent
from cluster.sync.reporter import ReceiverAwayError, Reporter

EVENT = SyncEvent(
    ops_commit="a" * 40, app="ann/app", environment="staging", ref="refs/heads/master",
    commit="c" * 40, phase="started", time=datetime.now(UTC),
)  # fmt: skip


class Receiver(HTTPServer):
    """Answers with these codes, one after the other."""

    def __init__(self, *codes: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.codes = list(codes)
        self.got: list[tuple[str | None, SyncEvent]] = []
        self.thread = threading.Thread(target=self.serve_forever)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.thread.join()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.headers["Authorization"], SyncEvent.model_validate_json(body)))
        self.send_response(self.server.codes.pop(0))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Silent."""


def test_a_report_is_tried_again_until_it_is_taken() -> None:
    with Receiver(503, 500, 202) as receiver:
        Reporter(receiver.url, "t0ken", threading.Event()).post(EVENT)
        assert receiver.got == [("Bearer t0ken", EVENT)] * 3


def test_a_receiver_that_stays_away_is_an_error_in_one_line() -> None:
    with Receiver() as receiver:
        url = receiver.url
    stopping = threading.Event()
    stopping.set()  # so that it does not wait between the tries
    with pytest.raises(ReceiverAwayError, match="does not take reports") as refused:
        Reporter(url, "t0ken", stopping).post(EVENT)
    assert "t0ken" not in str(refused.value)
