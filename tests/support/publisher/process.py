"""A publisher in a process of its own, which can be killed, and a worker that has something to publish."""

import itertools
import json
import multiprocessing
import os
import signal
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from http.client import HTTPException
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tests.support.serving import Reply, Request
from tests.support.waiting import eventually

TOKEN = "the-publishers-token"
WORKER_TOKEN = "the-workers-token"
_server = multiprocessing.get_context("forkserver")
_server.set_forkserver_preload(["cli.servers.publisher_server"])  # so that a start costs a fork


def _run(folder: Path, settings: Mapping[str, str], said: Connection, kills: tuple[int, int] | None) -> None:
    from cli.servers.publisher_server import PublisherServer

    os.environ.update(settings)
    if kills:
        _kill_at(*kills)
    log = os.open(folder / "publisher.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 2)
    try:
        server = PublisherServer(folder, threading.Event())
    except BaseException as error:
        said.send(f"{type(error).__name__}: {error}")
        raise
    server.run(said.send)


def _kill_at(call: int, pid: int) -> None:
    """Have a process be killed at the call of rclone with this number: even ones before it is made, odd ones after.

    `pid`: 0 for this process, the publisher itself.
    """
    from cluster.publisher.engines.rclone import Rclone

    ask, calls = Rclone._ask, itertools.count()

    async def killing(self: Rclone, *given: Any, **options: Any) -> bytes:
        for half in (next(calls), next(calls)):
            if half == call:
                os.kill(pid or os.getpid(), signal.SIGKILL)
            if not half % 2:
                answer = await ask(self, *given, **options)
        return answer

    Rclone._ask = killing  # type: ignore[method-assign]


class PublisherProcess:
    """A publisher that runs from its making until `kill`."""

    def __init__(self, folder: Path, settings: Mapping[str, str], kills: tuple[int, int] | None = None) -> None:
        """Start it, and wait until it is up; `folder` has its scratch volume. `kills`: see `_kill_at`."""
        (folder / "token").write_text(TOKEN)
        ours, theirs = _server.Pipe()
        fixed = {
            "DPPCTL_PUBLISHER_TOKEN_FILE": str(folder / "token"),
            "DPPCTL_PUBLISHER_LISTEN": "127.0.0.1:0",
            "DPPCTL_PUBLISHER_DIR": str(folder / "scratch"),
        }
        self._process = _server.Process(target=_run, args=(folder, {**fixed, **settings}, theirs, kills), daemon=True)
        self._process.start()
        theirs.close()
        hello = ours.recv()
        assert "is up: " in hello, hello
        self.url = hello.split("is up: ")[1].split("/ ")[0]

    @property
    def pid(self) -> int:
        """Return its process id."""
        assert self._process.pid
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Return whether it runs."""
        return self._process.is_alive()

    def kill(self) -> None:
        """End it as a power cut does."""
        self._process.kill()
        self._process.join()

    def call(self, method: str, path: str, body: bytes | None = None) -> tuple[int, dict[str, Any]]:
        """Ask it something, and return status and answer."""
        headers = {"Authorization": f"Bearer {TOKEN}"}
        request = urllib.request.Request(self.url + path, body, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def ask(self, **changes: object) -> dict[str, Any]:
        """Ask it for a publication (see `request`) and return the answer."""
        status, answer = self.call("POST", "/publications", json.dumps(request(**changes)).encode())
        assert status == 202, answer
        return answer

    def try_to_ask(self, **changes: object) -> None:
        """Ask it for a publication, which may be its end."""
        with suppress(OSError, HTTPException):
            self.ask(**changes)

    def ended(self, uid: str) -> dict[str, Any]:
        """Wait until a publication has ended, and return its state."""

        def look() -> dict[str, Any] | None:
            _, state = self.call("GET", f"/publications/{uid}")
            return state if state.get("state") in ("published", "failed") else None

        found = eventually(look, f"publication {uid} ends")
        assert found
        return found

    def wait_for(self, uid: str) -> None:
        """Wait until a publication has ended, or the publisher."""

        def look() -> bool:
            try:
                return self.call("GET", f"/publications/{uid}")[1].get("state") in ("published", "failed")
            except (OSError, HTTPException):
                return not self.is_alive

        eventually(look, f"publication {uid} or its publisher ends")

    def publish(self, **changes: object) -> dict[str, Any]:
        """Ask for a publication and return its end."""
        self.ask(**changes)
        return self.ended(str(changes.get("uid", "u1")))


def request(**changes: object) -> dict[str, object]:
    """Return what an operator asks."""
    asked: dict[str, object] = {
        "run": "run-1",
        "uid": "u1",
        "prefix": "worker-1/",
        "worker": "127.0.0.1:9",
        "workerToken": WORKER_TOKEN,
        "limitBytes": 10**9,
        "items": [package("committees/")],
    }
    return asked | changes


def package(path: str) -> dict[str, str]:
    """Return the item of a data package."""
    return {"kind": "data package", "source": f"data/{path.rstrip('/')}", "path": path}


SITE = {"kind": "site", "source": "data/index.html", "path": ""}


class WorkerFiles:
    """Answers as a worker that has these tars to give, the next one each time `tars` is set."""

    def __init__(self) -> None:
        self.tar = b""
        self.asked: list[str | None] = []

    def answer(self, asked: Request) -> Reply:
        """Answer a request."""
        self.asked.append(asked.authorization)
        if asked.path != "/publication" or asked.authorization != f"Bearer {WORKER_TOKEN}":
            return Reply(401, body=b'{"error": "the token is wrong"}')
        return Reply(200, {"Content-Type": "application/x-tar"}, self.tar)
