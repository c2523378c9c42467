"""The pages of what is in the environments' databases: one Datasette for all, started when somebody first looks.

It listens on this machine only, and answers nobody but the receiver, which knows its token and who may look.
"""

import secrets
import selectors
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

from bot.logs import get_logger
from bot.parent_death import bound_to_parent
from bot.program_environment import listed_environment
from cluster.limits import DATA_RESTART_SECONDS
from cluster.sync.local.environment_data import TOKEN_VARIABLE

_log = get_logger("dppctl.data")


class DataServer:
    """Served until `close`."""

    def __init__(self, environments: Path) -> None:
        """Listen; the databases are those of the environments in this folder."""
        self.token = secrets.token_urlsafe(32)
        self._environments = environments
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listening.getsockname()[1]
        self._woken, self._waker = socket.socketpair()
        self._process: subprocess.Popen[bytes] | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="data", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it, whatever it is answering."""
        self._closing.set()
        self._waker.send(b"1")
        if process := self._process:
            process.kill()
        self._thread.join()
        for each in (self._listening, self._woken, self._waker):
            each.close()

    def _follow(self) -> None:
        """Start Datasette when somebody connects, and again after it has ended."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._listening, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            while not self._closing.is_set():
                selector.select()
                if self._closing.is_set():
                    return
                self._process = self._start()
                if self._closing.is_set():  # it was asked to end meanwhile
                    self._process.kill()
                if (code := self._process.wait()) and not self._closing.is_set():
                    _log.warning("the pages of data ended, and are started again when somebody looks", code=code)
                    self._closing.wait(DATA_RESTART_SECONDS)

    def _start(self) -> subprocess.Popen[bytes]:
        descriptor = self._listening.fileno()
        module = "cluster.sync.local.data_app"
        command = [sys.executable, "-P", "-m", module, str(descriptor), str(self._environments)]
        # Whatever plug-ins of Datasette are installed beside it, none is loaded.
        given = {TOKEN_VARIABLE: self.token, "DATASETTE_LOAD_PLUGINS": ""}
        return subprocess.Popen(
            bound_to_parent(command, signal.SIGKILL),
            env={**listed_environment(), **given},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[descriptor],
            start_new_session=True,  # Ctrl-C is for us
        )
