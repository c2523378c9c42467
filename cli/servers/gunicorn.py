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
import time
from pathlib import Path
from typing import IO

from bot.errors import DppctlError
from bot.parent_death import bound_to_parent
from bot.settings import Settings
from cli.limits import BIND_SECONDS, RECEIVER_STOP_SECONDS, RECEIVER_THREADS, RECEIVER_WORKERS

APPLICATION = "webhooks.wsgi:application()"
WORKER = "webhooks.gunicorn_worker.DeadlineWorker"
_ANY_HOST = ("", "0.0.0.0", "::")  # noqa: S104


class Receiver:
    """Runs from its making until `stop`."""

    def __init__(
        self, config: Path, settings: Settings, log: IO[str] | None = None, application: str = APPLICATION
    ) -> None:
        """Start it; `log`: in place of stderr. Raises DppctlError when the address cannot be used."""
        with _listen(settings.listen.host, settings.listen.port) as listening:
            port = listening.getsockname()[1]
            self.address = _url(settings.listen.host, port)
            # Where this machine reaches it.
            self.here = _url("127.0.0.1", port) if settings.listen.host in _ANY_HOST else self.address
            command = [
                *(sys.executable, "-P", "-m", "gunicorn", application),
                *(
                    "--bind",
                    f"fd://{listening.fileno()}",
                    "--workers",
                    str(RECEIVER_WORKERS),
                    "--threads",
                    str(RECEIVER_THREADS),
                ),
                *("--worker-class", WORKER, "--graceful-timeout", "1", "--keep-alive", "5"),
                *("--no-control-socket", "--log-level", "warning"),
                *("--logger-class", "webhooks.gunicorn_logger.GunicornLogger"),
            ]
            self._process = subprocess.Popen(
                # Not a signal that it handles: now and then it lost one. Its workers look for it every second.
                bound_to_parent(command, signal.SIGKILL),
                env={
                    **{name: value for name, value in os.environ.items() if name != "GUNICORN_CMD_ARGS"},
                    "DPPCTL_CONFIG": str(config.absolute()),
                    "DPPCTL_SYNC_TOKEN": settings.sync.token.get_secret_value(),
                },
                stdin=subprocess.DEVNULL,
                stderr=log,
                pass_fds=[listening.fileno()],
                start_new_session=True,  # Ctrl-C is for us; we end it when the others have
            )

    def run(self) -> None:
        """Wait for its end. Raises DppctlError when that was not our doing."""
        code = self._process.wait()
        if code not in (0, -signal.SIGKILL):
            raise DppctlError(f"the receiver ended with {code}")

    def stop(self) -> None:
        """End it; what it is answering may take a second."""
        if self._process.poll() is None:
            self._process.terminate()
        try:
            self._process.wait(RECEIVER_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


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


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
