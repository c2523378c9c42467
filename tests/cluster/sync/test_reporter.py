"""Reports over HTTP: a receiver that is away for a while gets them all the same."""

import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from bot.model.receipt import Receipt
from bot.model.reports import SyncEvent
from cluster.sync.reporter import ReceiverAwayError, Reporter

EVENT = SyncEvent(
    ops_commit="a" * 40, app="ann/app", environment="staging", ref="refs/heads/master",
    commit="c" * 40, phase="started", time=datetime.now(UTC),
)  # fmt: skip


class Receiver(HTTPServer):
    """Answers with these codes, one after the other."""

    def __init__(self, *codes: int, body: bytes = b"") -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.codes, self.body = list(codes), body
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
        self.wfile.write(self.server.body)

    def log_message(self, *_: object) -> None:
        """Silent."""


def test_a_report_is_tried_again_until_it_is_taken() -> None:
    with Receiver(503, 500, 202) as receiver:
        Reporter(receiver.url, "t0ken", threading.Event()).post(EVENT)
        assert receiver.got == [("Bearer t0ken", EVENT)] * 3


@pytest.mark.parametrize(
    ("body", "number"),
    [
        (b'{"outcome": "accepted", "deployment": 41}', 41),
        (b'{"outcome": "accepted"}', None),
        (b"", None),
        (b"[]", None),
    ],
)
def test_the_receiver_says_which_deployment_a_report_is_of(body: bytes, number: int | None) -> None:
    with Receiver(202, body=body) as receiver:
        assert Reporter(receiver.url, "t0ken", threading.Event()).post(EVENT) == number


def test_a_receiver_that_stays_away_is_an_error_in_one_line() -> None:
    with Receiver() as receiver:
        url = receiver.url
    stopping = threading.Event()
    stopping.set()  # so that it does not wait between the tries
    with pytest.raises(ReceiverAwayError, match="does not take reports") as refused:
        Reporter(url, "t0ken", stopping).post(EVENT)
    assert "t0ken" not in str(refused.value)


@pytest.mark.parametrize("code", [400, 403, 409, 413, 422])
def test_of_a_report_that_is_refused_for_good_the_essential_is_told(code: int) -> None:
    receipt = Receipt(status="succeeded", pipelines=(), started=EVENT.time, ended=EVENT.time)
    whole = EVENT.model_copy(update={"phase": "succeeded", "message": "7 rows", "log": "a line", "receipt": receipt})
    with Receiver(code, 202) as receiver:
        Reporter(receiver.url, "t0ken", threading.Event()).post(whole)
        (_, first), (_, second) = receiver.got
        assert first == whole
        assert (second.phase, second.log, second.receipt) == ("succeeded", "", None)
        assert second.message.startswith("7 rows\n")
        assert f"refuses the report: {code}" in second.message


def test_nobody_waits_for_a_report_that_is_never_taken(capfd: pytest.CaptureFixture[str]) -> None:
    with Receiver(413, 413) as receiver:
        Reporter(receiver.url, "t0ken", threading.Event()).post(EVENT)
        assert len(receiver.got) == 2
    assert "report refused" in capfd.readouterr().err


def test_who_we_are_and_how_much_at_a_time_may_change() -> None:
    with Receiver(401, 408, 429, 202) as receiver:
        Reporter(receiver.url, "t0ken", threading.Event()).post(EVENT)
        assert receiver.got == [("Bearer t0ken", EVENT)] * 4
