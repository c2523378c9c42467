"""The receiver's processes: gunicorn, on a socket that we opened: port 0 works, and nobody is refused while it starts.

It is apart from the bot and sync, so that what they compute does not make GitHub (or a person) wait for an answer.
https://docs.gunicorn.org/en/stable/settings.html
"""

import errno
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from bot.errors import DppctlError
from bot.page_hosts import http_url, local_http_url
from bot.parent_death import bound_to_parent
from bot.settings import Settings
from cli.limits import ANSWER_SECONDS, BIND_SECONDS, RECEIVER_STOP_SECONDS, RECEIVER_THREADS, RECEIVER_WORKERS
from webhooks.bot_waker import VARIABLE

APPLICATION = "cli.servers.pages_wsgi:receiver()"
ALL_IN_ONE = "cli.servers.all_in_one_wsgi:all_in_one()"
WORKER = "webhooks.gunicorn_worker.DeadlineWorker"
CONFIG = "python:cli.servers.gunicorn_config"
# Of malloc, which else gives each two of its 80 threads memory of their own, and keeps it: 100 MB with 200 live pages.
# https://www.gnu.org/software/libc/manual/html_node/Memory-Allocation-Tunables.html
_FEW_ARENAS = {"MALLOC_ARENA_MAX": "2"}


class WebServer:
    """Processes of gunicorn that serve one application, from its making until `stop`."""

    def __init__(
        self,
        listening: socket.socket,
        application: str,
        environment: Mapping[str, str],
        *,
        host: str = "",
        log: IO[str] | None = None,
        descriptors: Sequence[int] = (),
        workers: int = RECEIVER_WORKERS,
    ) -> None:
        """Start them on a socket, which may be closed afterwards; `host`: how its address is written.

        `application`: MODULE:FUNCTION(); `environment`: what it is told besides our own environment; `log`: in place of
        stderr; `descriptors`: open files that it gets; `workers`: processes.
        """
        found, port = listening.getsockname()[:2]
        host = host or found
        self.address = http_url(host, port)
        self.here = local_http_url(host, port)
        self._name = application.partition(":")[2].partition("(")[0]
        command = [
            *(sys.executable, "-P", "-m", "gunicorn", application),
            *("--config", CONFIG),
            *("--bind", f"fd://{listening.fileno()}"),
            *("--workers", str(workers), "--threads", str(RECEIVER_THREADS)),
            *("--worker-class", WORKER, "--graceful-timeout", "1", "--keep-alive", "5"),
            *("--no-control-socket", "--log-level", "warning"),
            *("--logger-class", "webhooks.gunicorn_logger.GunicornLogger"),
        ]
        self._process = subprocess.Popen(
            # Not a signal that it handles: now and then it lost one. Its workers look for it every second.
            bound_to_parent(command, signal.SIGKILL),
            env={
                **_FEW_ARENAS,
                **{name: value for name, value in os.environ.items() if name != "GUNICORN_CMD_ARGS"},
                **environment,
            },
            stdin=subprocess.DEVNULL,
            stderr=log,
            pass_fds=[listening.fileno(), *descriptors],
            start_new_session=True,  # Ctrl-C is for us; we end it when the others have
        )

    @property
    def pid(self) -> int:
        """Return the id of the process that has started the others."""
        return self._process.pid

    def wait_until_up(self, stopping: threading.Event) -> None:
        """Return when it answers, has ended, or all is to stop."""
        while self._process.poll() is None and not stopping.is_set():
            connection = HTTPConnection(urlsplit(self.here).netloc, timeout=ANSWER_SECONDS)
            with suppress(OSError), closing(connection):
                connection.request("GET", "/healthz")
                connection.getresponse()
                return

    def run(self) -> None:
        """Wait for its end. Raises DppctlError when that was not our doing."""
        code = self._process.wait()
        if code not in (0, -signal.SIGKILL):
            raise DppctlError(f"the processes of {self._name} ended with {code}")

    def stop(self) -> None:
        """End it; what it is answering may take a second."""
        if self._process.poll() is None:
            self._process.terminate()
        try:
            self._process.wait(RECEIVER_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


class Receiver(WebServer):
    """The receiver and the pages, where DPPCTL_HOST and DPPCTL_PORT say."""

    def __init__(
        self,
        config: Path,
        settings: Settings,
        log: IO[str] | None = None,
        application: str = APPLICATION,
        on_delivery: Callable[[], None] = lambda: None,
        more: Mapping[str, str] | None = None,
    ) -> None:
        """Start it; `log`: in place of stderr; `on_delivery` is called in a thread, once or more for each.

        `more`: what else its processes are told.

        Raises DppctlError when the address cannot be used.
        """
        with (
            _listen(settings.listen.host, settings.listen.port) as listening,
            _followed_pipe(on_delivery) as waking,
        ):
            environment = {
                "DPPCTL_CONFIG": str(config.absolute()),
                "DPPCTL_SYNC_TOKEN": settings.sync.token.get_secret_value(),
                VARIABLE: str(waking),
                **(more or {}),
            }
            host = settings.listen.host
            super().__init__(listening, application, environment, host=host, log=log, descriptors=[waking])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    end = time.monotonic() + BIND_SECONDS
    while True:
        try:
            return socket.create_server((host, port), family=family, backlog=2048)
        except OSError as error:
            if time.monotonic() > end or error.errno != errno.EADDRINUSE:
                raise DppctlError(f"DPPCTL_HOST {host}, DPPCTL_PORT {port}: {error.strerror}") from None
            time.sleep(0.1)


@contextmanager
def _followed_pipe(call: Callable[[], None]) -> Iterator[int]:
    """Give the end of a pipe to write into; `call` is called for what comes, until nobody has that end any more."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)

    def follow() -> None:
        with os.fdopen(reading, "rb", 0) as pipe:
            while pipe.read(4096):
                call()

    threading.Thread(target=follow, name="deliveries", daemon=True).start()
    try:
        yield writing
    finally:
        os.close(writing)
