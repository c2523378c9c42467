"""A stream of events whose other end goes away: the operator's, or the reader's."""

import os
import socket
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from tests.support.stories.operator_world import OperatorWorld
from tests.support.stories.proxy_world import Person, ProxyWorld
from tests.support.waiting import eventually

pytestmark = pytest.mark.needs("an API server")
BEGIN = b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n{"a": "b"}\r\n'


class SilentOperator:
    """Says one line without its end, and nothing more, until `leave`; `left` is set when its reader goes."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self.left, self._leaving = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def leave(self) -> None:
        self._leaving.set()

    def close(self) -> None:
        self.leave()
        self._thread.join()
        self._listening.close()

    def _serve(self) -> None:
        connection, _ = self._listening.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(BEGIN)
            connection.settimeout(0.05)
            while not self._leaving.is_set():
                try:
                    if not connection.recv(1):
                        self.left.set()
                        return
                except TimeoutError:
                    pass


@contextmanager
def following(
    runs: OperatorWorld, folder: Path
) -> Iterator[tuple[SilentOperator, Person, Generator[bytes], ProxyWorld]]:
    """A person who has read the first bytes of a run's events, and those that come."""
    operator = SilentOperator()
    world = ProxyWorld(folder, os.environ["DPPCTL_TEST_KUBECONFIG"], runs.namespace, operator.url)
    name = runs.ask("rows", user="token:ann")
    with world.running():
        ann = world.person()
        answer = ann.ask("GET", f"/v1/runs/{name}/events", stream=True)
        pieces = answer.iter_content(1)
        # They come as they are, also without a line's end.
        assert b"".join(next(pieces) for _ in range(10)) == b'{"a": "b"}'
        yield operator, ann, pieces, world
        operator.close()


def test_a_reader_that_goes_away_is_the_end_of_the_operators_stream_at_once(
    runs: OperatorWorld, tmp_path: Path
) -> None:
    with following(runs, tmp_path) as (operator, ann, pieces, _):
        shown = requests.get(f"{ann.url}/metrics", timeout=10).text
        assert "dppctl_proxy_streams 1.0" in shown
        begin = time.monotonic()
        pieces.close()
        eventually(operator.left.is_set, "the operator's stream is ended")
        assert time.monotonic() - begin < 2


def test_an_operator_that_goes_away_is_no_end_of_the_events(runs: OperatorWorld, tmp_path: Path) -> None:
    with following(runs, tmp_path) as (operator, _, pieces, _):
        operator.leave()
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            list(pieces)


def test_a_stream_is_cut_off_soon_after_its_token_was_revoked(
    runs: OperatorWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cluster.proxy.authentication.TOKEN_CHECK_SECONDS", 0.05)
    with following(runs, tmp_path) as (operator, ann, pieces, world):
        world.revoke(ann)
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            list(pieces)
        eventually(operator.left.is_set, "the operator's stream is ended")
        assert ann.refused("GET", "/v1/runs")[0] == 401
