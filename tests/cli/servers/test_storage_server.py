"""`dppctl storage-server`: what its settings are refused for, and clients that take nothing."""

import http.client
import threading
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bot.errors import DppctlError
from cli.servers import storage_server
from cli.servers.storage_server import StorageServer
from tests.support.workloads import write_files


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "DPPCTL_STORAGE_FOLDER: is not set, nor DPPCTL_STORAGE_BUCKET_URL; name what is to be shown"),
        ({"FOLDER": ".", "BUCKET_URL": "https://b.example"}, "DPPCTL_STORAGE_FOLDER, DPPCTL_STORAGE_BUCKET_URL: both"),
        ({"FOLDER": "nowhere"}, "DPPCTL_STORAGE_FOLDER: nowhere is no folder"),
        ({"FOLDER": ".", "HOST": "no such host"}, "DPPCTL_STORAGE_HOST, DPPCTL_STORAGE_PORT: cannot listen on"),
        ({"BUCKET_URL": "gs://bucket"}, "DPPCTL_STORAGE_BUCKET_URL: expected https://HOST"),
    ],
)
def test_a_wrong_setting_of_the_storage_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: dict[str, str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in given.items():
        monkeypatch.setenv(f"DPPCTL_STORAGE_{name}", value)
    with pytest.raises(DppctlError) as refused:
        StorageServer(tmp_path, threading.Event())
    assert str(refused.value).startswith(said)
    assert "\n" not in str(refused.value)


@pytest.mark.slow
def test_who_takes_nothing_of_an_answer_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_files(tmp_path / "storage", {"worker/big.bin": "x" * 30_000_000, "worker/small.csv": "a\n"})
    monkeypatch.setenv("DPPCTL_STORAGE_FOLDER", str(tmp_path / "storage"))
    monkeypatch.setenv("DPPCTL_STORAGE_PORT", "0")
    monkeypatch.setattr(storage_server, "STORAGE_SEND_SECONDS", 1)
    stopping, ended = threading.Event(), threading.Event()
    server = StorageServer(tmp_path, stopping)
    try:
        address = urlsplit(server.hello().removeprefix("dppctl storage is up: "))
        with closing(http.client.HTTPConnection(address.netloc, timeout=60)) as lazy:
            lazy.request("GET", "/worker/big.bin")
            answer = lazy.getresponse()
            assert answer.status == 200
            ended.wait(3)  # it takes nothing for longer than it may
            with pytest.raises((http.client.IncompleteRead, ConnectionError)):
                answer.read()
        with closing(http.client.HTTPConnection(address.netloc, timeout=60)) as other:
            other.request("GET", "/worker/small.csv")
            assert other.getresponse().read() == b"a\n"
    finally:
        server.stop()
        server.close()
