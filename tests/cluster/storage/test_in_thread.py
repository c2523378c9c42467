"""The storage server in a thread of another process: so many requests at a time, and none that is silent for long."""

import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.storage import in_thread
from cluster.storage.folder_storage import FolderStorage
from cluster.storage.server import StorageApp
from tests.support.waiting import eventually
from tests.support.workloads import write_files


@pytest.fixture
def port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Of a server with one thread, for which others wait a moment."""
    monkeypatch.setattr(in_thread, "SERVER_THREADS", 1)
    monkeypatch.setattr(in_thread, "THREAD_SECONDS", 0.1)
    monkeypatch.setattr(in_thread._Handler, "timeout", 0.5)
    write_files(tmp_path, {"a.csv": "a"})
    with socket.create_server(("127.0.0.1", 0)) as listening:
        stop = in_thread.serve_in_thread(listening, StorageApp({"": FolderStorage(tmp_path)}).respond)
        yield listening.getsockname()[1]
        stop()


def received(connection: socket.socket) -> bytes:
    """What came until the connection was closed, however that was done."""
    try:
        return connection.recv(100)
    except ConnectionError:
        return b""


def test_who_is_silent_is_cut_and_who_cannot_wait_is_sent_away(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), 20) as silent:
        silent.sendall(b"GET /a.csv HTTP/1.1\r\n")
        with socket.create_connection(("127.0.0.1", port), 20) as other:
            other.sendall(b"GET /a.csv HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert received(other) == b""
        assert received(silent) == b""

    def answers() -> bool:
        return bool(urllib.request.urlopen(f"http://127.0.0.1:{port}/a.csv", timeout=20).read() == b"a")

    eventually(answers, "the thread is free again")
