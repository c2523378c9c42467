"""The hook that connects any git server, on a real bare repository."""

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.support.environment import REPOSITORY
from tests.support.forge import Forge, Repository, git
from webhooks.payload import read_delivery
from webhooks.signature import is_signed

pytestmark = pytest.mark.slow


class Receiver(HTTPServer):
    """Keeps the deliveries that are signed well and that our own parser accepts."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.payloads: list[dict[str, Any]] = []


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        assert is_signed(body, self.headers["X-Hub-Signature-256"], ["hush"])
        assert read_delivery(dict(self.headers.items()), body)[1].repository == "ann/app"
        self.server.payloads.append(json.loads(body))
        self.send_response(202)
        self.end_headers()
        self.wfile.write(b'{"outcome": "accepted"}')

    def log_message(self, *_: object) -> None:
        """Silent."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def repository(tmp_path: Path, receiver: Receiver) -> Repository:
    repository = Forge(tmp_path).repository("ann/app")
    (tmp_path / "secret").write_text("hush\n")
    settings = {"url": f"http://127.0.0.1:{receiver.server_port}/webhooks/github", "repository": "ann/app"}
    for key, value in {**settings, "secretFile": str(tmp_path / "secret")}.items():
        git(repository.bare, "config", f"dppctl.{key}", value)
    hook = repository.bare / "hooks" / "post-receive"
    shutil.copyfile(REPOSITORY / "cli" / "init" / "local" / "post_receive.py", hook)
    hook.chmod(0o755)
    return repository


def told(receiver: Receiver) -> list[tuple[object, ...]]:
    return [tuple(payload[key] for key in ("ref", "created", "forced", "deleted")) for payload in receiver.payloads]


def test_each_kind_of_push_is_told_as_github_tells_it(receiver: Receiver, repository: Repository) -> None:
    first = repository.push({"a": "1"}, message="first\n\nwith a body")
    second = repository.push({"a": "2"})
    repository.git("reset", "--quiet", "--hard", first)
    repository.push({"a": "3"})
    repository.tag("v1", "--annotate", "--message", "a tag")
    repository.git("push", "--quiet", "origin", "--delete", "v1")
    master, tag = "refs/heads/master", "refs/tags/v1"
    assert told(receiver) == [
        (master, True, False, False),
        (master, False, False, False),
        (master, False, True, False),
        (tag, True, False, False),
        (tag, False, False, True),
    ]
    created, changed, *_, deleted = receiver.payloads
    assert (created["before"], created["after"]) == ("0" * 40, first)
    assert created["head_commit"]["message"] == "first\n\nwith a body"
    assert (changed["before"], changed["after"], changed["head_commit"]["id"]) == (first, second, second)
    assert deleted["head_commit"] is None


def test_a_tag_of_what_is_no_commit_is_told_too_and_keeps_no_other_back(
    receiver: Receiver, repository: Repository
) -> None:
    first = repository.push({"a": "1"})
    repository.git("tag", "a-tree", "HEAD^{tree}")
    repository.git("tag", "b-file", "HEAD:a")
    repository.git("tag", "--annotate", "--message", "x", "c-tag", "HEAD")
    repository.git("tag", "--annotate", "--message", "x", "d-tag-of-tag", "c-tag")
    repository.git("tag", "--annotate", "--message", "x", "e-tag-of-tree", "HEAD^{tree}")
    repository.git("push", "--quiet", "--tags", "origin")
    repository.git("tag", "--force", "a-tree", "HEAD")
    repository.git("push", "--quiet", "--force", "origin", "a-tree")
    pushed = [(payload["ref"][10:], payload["head_commit"]) for payload in receiver.payloads[1:]]
    assert [(tag, head and head["id"]) for tag, head in pushed] == [
        ("a-tree", None),
        ("b-file", None),
        ("c-tag", first),
        ("d-tag-of-tag", first),
        ("e-tag-of-tree", None),
        ("a-tree", first),
    ]
    assert receiver.payloads[-1]["forced"]


def test_a_receiver_that_is_down_does_not_fail_the_push(tmp_path: Path, repository: Repository) -> None:
    git(repository.bare, "config", "dppctl.url", "http://127.0.0.1:1/")
    (repository.work / "a").write_text("1")
    repository.git("add", "--all")
    repository.git("commit", "--quiet", "--message", "x")
    pushed = subprocess.run(
        ["git", "push", "origin", "HEAD:master"], cwd=repository.work, capture_output=True, text=True, check=True
    )
    assert "not delivered" in pushed.stderr
    assert str(tmp_path / "secret") not in pushed.stderr
