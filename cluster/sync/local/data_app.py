"""Datasette over the databases of this machine's environments: `python -m cluster.sync.local.data_app FD FOLDER`.

It answers on an inherited socket whoever shows the token of DPPCTL_DATA_TOKEN, below `/data/APP~2FENVIRONMENT/`, and
ends when nobody has asked for a while. Nothing but what an environment has now can be opened, read-only. A request sees
one release to its end: what comes into force meanwhile is for the next request.
"""

import asyncio
import hmac
import os
import resource
import socket
import sqlite3
import sys
import threading
import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TypeVar

import uvicorn
from datasette.app import Datasette  # type: ignore[import-untyped]
from datasette.database import Database  # type: ignore[import-untyped]
from datasette.utils import tilde_decode  # type: ignore[import-untyped]

from cluster.limits import (
    DATA_CSV_MEGABYTES,
    DATA_IDLE_SECONDS,
    DATA_MEMORY_BYTES,
    DATA_QUERY_MILLISECONDS,
    DATA_ROWS,
    DATA_VALUE_BYTES,
)
from cluster.sync.local.environment_data import DATA_PATH, TOKEN_HEADER, TOKEN_VARIABLE, current_database, open_database

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
_Found = TypeVar("_Found")
_STATIC = "-/static/"

_SETTINGS = {
    "base_url": DATA_PATH,
    "sql_time_limit_ms": DATA_QUERY_MILLISECONDS,
    "max_returned_rows": DATA_ROWS,
    "max_csv_mb": DATA_CSV_MEGABYTES,
    "allow_download": False,
    "default_cache_ttl": 0,
}


class PinnedDatabase:
    """A database as it is when a request comes; it stays that to the request's end, even if it is removed meanwhile."""

    def __init__(self, file: Path) -> None:
        self._connection = open_database(file)
        self._connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, DATA_VALUE_BYTES)
        self._lock = threading.Lock()
        self._is_prepared = False

    def ask(self, prepare: Callable[[sqlite3.Connection], None], ask: Callable[[sqlite3.Connection], _Found]) -> _Found:
        """Return what a question gives, one at a time; `prepare` is called before the first."""
        with self._lock:
            if not self._is_prepared:
                prepare(self._connection)
                self._is_prepared = True
            return ask(self._connection)

    def close(self) -> None:
        """Close it, once the question that is asked has its answer."""
        with self._lock:
            self._connection.close()


_pinned: ContextVar[PinnedDatabase] = ContextVar("pinned")  # of the request that is answered


class EnvironmentDatabase(Database):  # type: ignore[misc]
    """The database of one environment, as the request that asks has it; nothing is held open between requests."""

    async def execute_fn(self, fn: Callable[[sqlite3.Connection], _Found]) -> _Found:
        """Ask the database of this request."""
        pinned = _pinned.get()

        def prepare(connection: sqlite3.Connection) -> None:
            self.ds._prepare_connection(connection, self.name)

        return await asyncio.get_running_loop().run_in_executor(self.ds.executor, lambda: pinned.ask(prepare, fn))


class EnvironmentsDatasette(Datasette):  # type: ignore[misc]
    """Datasette without an index of its databases, which would open all of them for each request."""

    async def refresh_schemas(self) -> None:
        """Leave the index empty; no page that is shown has anything of it."""


class DataApp:
    """An ASGI application (https://asgi.readthedocs.io) over the environments below a folder."""

    def __init__(self, environments: Path, token: str) -> None:
        """Show them to who has the token."""
        self._environments, self._token = environments, token.encode()
        self._datasette = EnvironmentsDatasette(settings=_SETTINGS)
        for name in list(self._datasette.databases):
            if name != "_internal":
                self._datasette.remove_database(name)
        self._app = self._datasette.app()
        self._open = 0
        self._last = time.monotonic()

    async def respond(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        self._open += 1
        try:
            await self._answer(scope, receive, send)
        finally:
            self._open -= 1
            self._last = time.monotonic()

    def idle_seconds(self) -> float:
        """Return for how long nobody has asked for anything."""
        return 0.0 if self._open else time.monotonic() - self._last

    async def _answer(self, scope: Message, receive: Receive, send: Send) -> None:
        given = dict(scope["headers"]).get(TOKEN_HEADER.lower().encode(), b"")
        path = scope.get("raw_path", b"").decode("latin-1").partition("?")[0]
        if not hmac.compare_digest(given, self._token):
            await _refuse(send, 403, "not for you")
        elif scope["method"] not in ("GET", "HEAD") or not path.startswith(DATA_PATH):
            await _refuse(send, 404, "there is nothing here")
        elif path.startswith(f"{DATA_PATH}{_STATIC}"):
            await self._app(_below_base(scope), receive, send)
        else:
            name = tilde_decode(path.removeprefix(DATA_PATH).partition("/")[0].partition(".")[0])
            app, _, environment = name.rpartition("/")
            file = current_database(self._environments, app, environment)
            if file is None:
                await _refuse(send, 404, f"{name[:200]} has no database on this machine")
                return
            if name not in self._datasette.databases:
                self._datasette.add_database(EnvironmentDatabase(self._datasette, str(file)), name=name)
            pinned = PinnedDatabase(file)
            _pinned.set(pinned)
            try:
                await self._app(_below_base(scope), receive, send)
            finally:
                await asyncio.get_running_loop().run_in_executor(None, pinned.close)


def _below_base(scope: Message) -> Message:
    """Return a request as Datasette has it whose `base_url` a proxy took away; with it, it doubles it in some links."""
    left = len(DATA_PATH) - 1
    return {**scope, "path": scope["path"][left:], "raw_path": scope["raw_path"][left:]}


async def _refuse(send: Send, status: int, text: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": f"{text}\n".encode()})


async def serve(app: DataApp, listening: socket.socket, idle_seconds: float) -> None:
    """Answer on the socket until nobody has asked for so long, or a signal comes."""
    config = uvicorn.Config(
        app.respond,
        interface="asgi3",
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    while not serving.done():
        await asyncio.wait([serving], timeout=idle_seconds / 4)
        server.should_exit = server.should_exit or app.idle_seconds() > idle_seconds
    await serving


def main() -> None:
    descriptor, folder = sys.argv[1:]
    with suppress(OSError, ValueError):  # macOS has no such limit
        resource.setrlimit(resource.RLIMIT_AS, (DATA_MEMORY_BYTES, DATA_MEMORY_BYTES))
    app = DataApp(Path(folder), os.environ.pop(TOKEN_VARIABLE))
    asyncio.run(serve(app, socket.socket(fileno=int(descriptor)), DATA_IDLE_SECONDS))


if __name__ == "__main__":
    main()
