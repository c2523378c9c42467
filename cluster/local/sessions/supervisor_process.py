"""The supervisor: one background process a run, which owns what outlives the run's command.

That is the PostgreSQL server, the web UI and the HTTP server of the storage. It starts with the run, for their
URLs are printed first; when the command is done, or has died, it makes the sessions available, and ends them when the
keep time is over.

Every run pays for the supervisor, so it imports the standard library only, and starts a server when somebody first
asks for it.
"""

import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from cluster.errors import ClusterError
from cluster.limits import SUPERVISOR_SLEEP_SECONDS
from cluster.local import processes
from cluster.local.sessions import record
from cluster.local.sessions.record import Session

_LOG = sys.stderr.buffer


class SessionServers:
    """The sessions of one run; for each a stack of what ends with it."""

    def __init__(self, keep: float) -> None:
        self._keep = keep
        self._selector = selectors.DefaultSelector()
        self._stacks: dict[str, ExitStack] = {}
        self._servers: dict[str, subprocess.Popen[bytes]] = {}
        self._until: float | None = None

    def serve_worker(self, worker: Session) -> str:
        """Serve the storage of this worker; return the URL of its folder."""
        from cluster.local.storage.publish import storage_folder

        stack = self._stacks[worker.name] = ExitStack()
        listening = self._listen(stack, lambda: serve())
        root = storage_folder(worker.name)

        def serve() -> None:
            from bot.page_hosts import LOOPBACK_HOSTS
            from cluster.storage.folder_storage import FolderStorage
            from cluster.storage.in_thread import serve_in_thread
            from cluster.storage.server import StorageApp

            app = StorageApp({f"/{worker.name}": FolderStorage(root)}, hosts=LOOPBACK_HOSTS)
            stack.callback(serve_in_thread(listening, app.respond))

        return f"http://127.0.0.1:{listening.getsockname()[1]}/{worker.name}/"

    def serve_sqlite(self, db: Session) -> dict[str, Any]:
        """Serve its web UI; the file needs no server."""
        stack = self._stacks[db.name] = ExitStack()
        file = Path(db.file)
        listening = self._listen(stack, lambda: browse())

        def browse() -> None:
            from cluster.local.databases.web_ui import start_datasette

            stack.callback(_kill, start_datasette(file, listening, _LOG))

        return {"urls": {"web_ui": f"http://127.0.0.1:{listening.getsockname()[1]}/{file.stem}"}}

    def serve_postgres(self, db: Session) -> dict[str, Any]:
        """Start the server, and Adminer where it is installed; return how they are reached. Raises ClusterError."""
        from cluster.local.databases import postgres, web_ui

        stack = self._stacks[db.name] = ExitStack()
        folder = Path(db.scratch)
        adminer = web_ui.start_adminer(folder, _LOG)
        if adminer:
            stack.callback(_kill, adminer.process)
        server = postgres.start(folder)
        stack.callback(server.stop)
        self._servers[db.name] = server.process
        urls, running = {}, [server.process]
        if adminer and adminer.answers():
            urls["web_ui"] = adminer.login(server.port)
            running.append(adminer.process)
        children = [processes.identity(process.pid) for process in running]
        return {"urls": urls, "children": children, "port": server.port, "password": server.password}

    def until_over(self) -> None:
        """Serve until the keep time is over, or every session was stopped."""
        os.set_blocking(0, False)
        self._selector.register(0, selectors.EVENT_READ, self._release)
        woken, waker = socket.socketpair()
        for end in (woken, waker):
            end.setblocking(False)
        self._selector.register(woken, selectors.EVENT_READ, lambda: self._check(woken.recv(4096)))
        signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
        self._check()
        while self._stacks:
            left = None if self._until is None else self._until - time.monotonic()
            if left is not None and left <= 0:
                return
            for key, _ in self._selector.select(left and min(left, SUPERVISOR_SLEEP_SECONDS)):
                key.data()

    def end(self) -> None:
        for name in list(self._stacks):
            self._end(name)

    def _listen(self, stack: ExitStack, first: Callable[[], None]) -> socket.socket:
        """Listen on a port of this machine; `first` is called when somebody connects for the first time."""
        listening = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=128))

        def forget() -> None:
            if listening in self._selector.get_map():
                self._selector.unregister(listening)

        def look() -> None:
            forget()
            first()

        self._selector.register(listening, selectors.EVENT_READ, look)
        stack.callback(forget)
        return listening

    def _release(self) -> None:
        """Make the sessions available: the command has closed its pipe, or died."""
        self._selector.unregister(0)
        self._until = time.monotonic() + self._keep
        if not self._keep:
            return
        me = processes.me()
        for name in self._stacks:
            if session := record.read(name):
                session.update(status="available", owners=[me], supervisor=me, worker=None)
        self._check()
        _close_stdout()

    def _check(self, _signals: bytes = b"") -> None:
        """End the sessions that somebody asked to stop, or whose server has ended."""
        for name in list(self._stacks):
            server = self._servers.get(name)
            gone = not record.wanted(name) or (server is not None and server.poll() is not None)
            if gone:
                self._end(name)

    def _end(self, name: str) -> None:
        try:
            self._stacks.pop(name).close()
        finally:
            if session := record.read(name):
                session.remove()


def main() -> None:
    """Keep a run's servers: `python -m … WORKER DB KEEP`; DB is empty for a database that is not ours."""
    worker, db, keep = sys.argv[1:]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    for number in (signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)  # they only wake the selector
    servers = SessionServers(float(keep))
    try:
        facts: dict[str, Any] = {
            "storage": servers.serve_worker(_session(worker)),
            "urls": {},
            "children": [],
            "port": 0,
            "password": "",
        }
        if db:
            session = _session(db)
            facts |= servers.serve_sqlite(session) if session.file else servers.serve_postgres(session)
        print(json.dumps(facts), flush=True)
        record.all_sessions()  # clears away what killed commands left; here nobody waits for it
        servers.until_over()
    except ClusterError as error:
        print(json.dumps({"error": str(error)}), flush=True)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        servers.end()


def _session(name: str) -> Session:
    session = record.read(name)
    if session is None:
        raise ClusterError(f"the record of pod {name} is gone")
    return session


def _kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def _close_stdout() -> None:
    """Tell the waiting command that the records are written."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)


if __name__ == "__main__":
    main()
