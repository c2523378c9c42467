"""Caddy before the receiver and the storage, as docs/server.md has it; without TLS."""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests

from cluster.sync.local.storage_server import Storages
from tests.support.builders import free_port
from tests.support.docs.pages import text_of
from tests.support.receiver import MakeReceiver, Receiver
from tests.support.waiting import eventually

pytestmark = pytest.mark.needs("caddy")

NAME, DATA = "dppctl.example.org", "data.example.org"


class Caddy:
    """The ports of the page's two files: for webhooks alone, and for everything."""

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        self.webhooks, self.all = free_port(), free_port()

    def get(self, path: str, port: int, host: str = NAME) -> requests.Response:
        return requests.get(f"http://127.0.0.1:{port}{path}", headers={"Host": host}, timeout=60)

    def answers(self) -> bool:
        try:
            return self.get("/", self.webhooks).status_code == 404
        except requests.RequestException:
            return False


@pytest.fixture
def caddy(tmp_path: Path, make_receiver: MakeReceiver) -> Iterator[Caddy]:
    receiver = make_receiver("ann/app", PUBLIC_URL=f"https://{NAME}")
    caddy = Caddy(receiver)
    webhooks, everything = re.findall(r"```caddy\n(.*?)```", text_of("docs/server.md"), re.DOTALL)
    with closing(Storages(0, tmp_path, [], url=f"https://{DATA}")) as storages:
        text = "{\n\tadmin off\n\tdefault_bind 127.0.0.1\n}\n"
        for part, port in ((webhooks, caddy.webhooks), (everything, caddy.all)):
            text += re.sub(r"^(\S+\.example\.org) ", rf"http://\1:{port} ", part, flags=re.MULTILINE)
        text = text.replace("127.0.0.1:8080", receiver.url.removeprefix("http://"))
        text = text.replace("127.0.0.1:8081", f"127.0.0.1:{storages.port}")
        (tmp_path / "Caddyfile").write_text(text)
        process = subprocess.Popen(
            ["caddy", "run", "--config", tmp_path / "Caddyfile", "--adapter", "caddyfile"],
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            eventually(caddy.answers, "Caddy answers")
            yield caddy
        finally:
            process.terminate()
            process.wait(30)


def test_webhooks_alone_pass_or_pages_their_events_and_what_is_published(caddy: Caddy) -> None:
    told = Receiver(f"http://127.0.0.1:{caddy.webhooks}", caddy.receiver.store)
    assert told.deliver(headers={"Host": NAME}).status_code == 202
    for path in ("/", "/api/environments", "/webhooks/", "/sync/events", "/metrics"):
        assert (caddy.get(path, caddy.webhooks).status_code, path) == (404, path)

    assert "ann/app" in caddy.get("/", caddy.all).text
    events = caddy.get("/events", caddy.all)
    assert events.headers["Content-Type"].startswith("text/event-stream")
    assert "event: change" in events.text
    assert caddy.get("/", caddy.all, DATA).status_code == 404  # no environment; 403 by a name that is not the storage's
