"""`dppctl publisher`, a process of its own, and what its settings are refused for."""

import re
import signal
import threading
from contextlib import closing
from pathlib import Path

import pytest
import requests

from bot.errors import DppctlError
from cli.servers.publisher_server import PublisherServer
from tests.support.command import Dppctl


@pytest.mark.slow
def test_it_publishes_to_a_folder(dppctl: Dppctl, tmp_path: Path) -> None:
    (tmp_path / "publisher-token").write_text("of the operator\n")
    process = dppctl.start(
        "publisher", "--config", str(tmp_path), PYTHONUNBUFFERED="1", DPPCTL_PUBLISHER_LISTEN="127.0.0.1:0",
        DPPCTL_PUBLISHER_TOKEN_FILE="publisher-token", DPPCTL_PUBLISHER_REMOTE=str(tmp_path / "storage"),
        DPPCTL_STORAGE_URL="https://data.example.org", cwd=tmp_path,
    )  # fmt: skip
    assert process.stdout
    found = re.search(r"http://[\d.:]+", process.stdout.readline())
    assert found
    answer = requests.get(
        f"{found[0]}/publications/u1", headers={"Authorization": "Bearer of the operator"}, timeout=10
    )
    assert (answer.status_code, answer.json()["code"]) == (404, "no-such-publication")
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0


def test_what_is_missing_or_wrong_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def said(**settings: str) -> str:
        for name, value in settings.items():
            monkeypatch.setenv(f"DPPCTL_{name}", value)
        with pytest.raises(DppctlError) as error:
            PublisherServer(tmp_path, threading.Event())
        return str(error.value)

    assert said() == "DPPCTL_PUBLISHER_TOKEN_FILE: is not set; name a file with it"
    (tmp_path / "token").write_text("s3cret\n")
    token = str(tmp_path / "token")
    url = "DPPCTL_STORAGE_URL: is not set; it is how people reach what is published"
    assert said(PUBLISHER_TOKEN_FILE=token, PUBLISHER_REMOTE="storage:bucket") == url
    password = "DPPCTL_RCLONE_PASSWORD_FILE: is not set; name a file with it"
    assert said(STORAGE_URL="https://data.example.org") == password
    assert said(PUBLISHER_REMOTE=token) == f"DPPCTL_PUBLISHER_REMOTE: {token}: File exists"
    assert said(PUBLISHER_REMOTE="nonsense").startswith("DPPCTL_PUBLISHER_REMOTE: ")
    monkeypatch.setenv("DPPCTL_PUBLISHER_REMOTE", "")
    monkeypatch.setenv("DPPCTL_PUBLISHER_LISTEN", "127.0.0.1:0")
    with closing(PublisherServer(tmp_path, threading.Event())) as server:
        assert server.hello().endswith("(publishes to nothing: it keeps files for who asks for them)")
        assert said().startswith(f"another `dppctl publisher` uses {tmp_path}/state/publisher; stop it")
