"""Pages that show what is in a database: Datasette for SQLite, Adminer for PostgreSQL.

Both listen on this machine only. Datasette takes a second to start, so it is started when somebody first
looks.
"""

import contextlib
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import urlencode

from bot.parent_death import bound_to_parent
from bot.process import ask
from bot.program_environment import listed_environment
from cluster.limits import DATABASE_ASK_SECONDS, WEB_UI_START_SECONDS
from cluster.local.databases.postgres import USER, as_unprivileged, free_port

_ADMINER = (
    "/etc/adminer/conf.php",
    "/usr/share/adminer/adminer.php",
    "/usr/local/share/adminer/adminer.php",
    "/usr/share/webapps/adminer/index.php",
)
"""Debian's own entry comes first: it also tells Adminer not to ask its makers for news."""


def start_datasette(file: Path, listening: socket.socket, log: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start Datasette for one SQLite file, answering on a socket that listens already."""
    command = [sys.executable, "-P", "-m", "cluster.local.databases.datasette_app", str(listening.fileno()), str(file)]
    return subprocess.Popen(
        bound_to_parent(command, signal.SIGKILL),
        env=listed_environment(),
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        pass_fds=[listening.fileno()],
    )


def adminer() -> tuple[str, str] | None:
    """Return `php` and Adminer's entry page, when both are there and PHP can talk to PostgreSQL."""
    php = shutil.which("php")
    page = next((page for page in _ADMINER if Path(page).exists()), None)
    if php is None or page is None:
        return None
    modules = ask([php, "-m"], listed_environment(), DATABASE_ASK_SECONDS, separate=True).out.split()
    return (php, page) if "pgsql" in modules or "pdo_pgsql" in modules else None


@dataclass(frozen=True)
class Adminer:
    """PHP with Adminer, a child of the process that called `start_adminer`."""

    process: subprocess.Popen[bytes]
    port: int

    def answers(self) -> bool:
        """Wait until it answers. False when it has ended, or takes too long."""
        until = time.monotonic() + WEB_UI_START_SECONDS
        while self.process.poll() is None and time.monotonic() < until:
            with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", self.port)):
                return True
            time.sleep(0.01)
        return False

    def login(self, server_port: int) -> str:
        """Return the URL of its form with everything but the password."""
        known = {"pgsql": f"127.0.0.1:{server_port}", "username": USER, "db": "postgres"}
        return f"http://127.0.0.1:{self.port}/?{urlencode(known)}"


def start_adminer(folder: Path, log: IO[bytes]) -> Adminer | None:
    """Start Adminer as the database server's user, its sessions in `folder`. None where it is not installed."""
    found = adminer()
    if found is None:
        return None
    php, page = found
    port = free_port()
    options = [part for name in ("session.save_path", "sys_temp_dir") for part in ("-d", f"{name}={folder}")]
    process = subprocess.Popen(
        bound_to_parent([php, *options, "-S", f"127.0.0.1:{port}", page], signal.SIGKILL),
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        **as_unprivileged(),
    )
    return Adminer(process, port)
