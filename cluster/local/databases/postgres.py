"""A private PostgreSQL server from the machine's own binaries.

It serves one run: nobody else knows its password, it listens on this machine only, and its data folder goes away
with it. PostgreSQL refuses to run as root, and then runs as an unprivileged user.
"""

import glob
import os
import pwd
import secrets
import shutil
import signal
import socket
import string
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.parent_death import bound_to_parent
from bot.process import TimeLimitError, ask, run
from bot.program_environment import listed_environment
from cluster.errors import ClusterError
from cluster.limits import DATABASE_ASK_SECONDS, POSTGRES_START_SECONDS, POSTGRES_START_TRIES

USER = "postgres"
MISSING = "no PostgreSQL server is installed here (initdb): install it"

_FOLDERS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
)
_LETTERS = string.ascii_letters + string.digits

# The data never outlives this server, so nothing has to survive a crash of the machine: no waiting for the disk.
_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "2GB",
    "listen_addresses": "127.0.0.1",
    # A socket file would need a short path that others cannot reach; every driver takes TCP.
    "unix_socket_directories": "",
}


@dataclass(frozen=True)
class Server:
    """A server that answers. Its process is a child of the process that called `start`."""

    process: subprocess.Popen[bytes]
    port: int
    password: str

    def stop(self) -> None:
        """End at once, for nothing is to be saved: https://www.postgresql.org/docs/current/server-shutdown.html ."""
        self.process.send_signal(signal.SIGQUIT)
        try:
            self.process.wait(1.5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def binaries() -> Path | None:
    """Return the folder with `initdb` and `postgres`: that on PATH, else the newest where distributions put them."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    if found := shutil.which("pg_config"):
        said = ask([found, "--bindir"], listed_environment(), DATABASE_ASK_SECONDS, separate=True).out.strip()
        if said and Path(said, "initdb").exists():
            return Path(said)
    folders = [Path(name) for pattern in _FOLDERS for name in glob.glob(pattern)]
    return max((folder for folder in folders if (folder / "initdb").exists()), key=_version, default=None)


def unprivileged_user() -> str | None:
    """Return who runs the server when root asks for it; None when it is simply this user.

    Raises ClusterError when there is nobody.
    """
    if os.geteuid() != 0:
        return None
    for name in (USER, "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise ClusterError("PostgreSQL does not run as root, and there is no user 'postgres' or 'nobody' to run it")


def scratch(pod_folder: Path) -> Path:
    """Make and return a folder for the data, which the server's user owns. The caller removes it."""
    user = unprivileged_user()
    if user is None:
        folder = pod_folder / "postgres"
        folder.mkdir(mode=0o700)
        return folder
    folder = Path(tempfile.mkdtemp(prefix="dppctl-", dir=_reachable()))
    found = pwd.getpwnam(user)
    os.chown(folder, found.pw_uid, found.pw_gid)
    return folder


def start(folder: Path) -> Server:
    """Make a database cluster in `folder` (from `scratch`) and serve it.

    Raises ClusterError with PostgreSQL's own reason.
    """
    found = binaries()
    if found is None:
        raise ClusterError(MISSING)
    password = "".join(secrets.choice(_LETTERS) for _ in range(20))
    _make(found, folder, password)
    for _ in range(POSTGRES_START_TRIES):
        port = free_port()
        settings = [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
        with open(folder / "log", "wb") as log:
            process = subprocess.Popen(
                bound_to_parent(
                    [found / "postgres", "-D", folder / "data", "-p", str(port), *settings], signal.SIGQUIT
                ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **as_unprivileged(),
            )
        server = Server(process, port, password)
        try:
            if _ready(server, folder / "data" / "postmaster.pid"):
                return server
        except BaseException:
            server.stop()
            raise
    raise ClusterError(f"PostgreSQL does not start: {_reason((folder / 'log').read_text(errors='replace'))}")


def as_unprivileged() -> dict[str, Any]:
    """Return arguments of `subprocess` for a child that is the server's user and knows nothing of our environment."""
    arguments: dict[str, Any] = {"cwd": "/", "env": environment()}
    if user := unprivileged_user():
        arguments |= {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}
    return arguments


def environment() -> dict[str, str]:
    """Return the environment of PostgreSQL's programs, which know nothing of ours."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def free_port() -> int:
    """Return a port of this machine that nobody listens on for now."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def _make(found: Path, folder: Path, password: str) -> None:
    secret = folder / "password"
    with open(os.open(secret, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as out:
        out.write(password)
    owner = folder.stat()
    os.chown(secret, owner.st_uid, owner.st_gid)
    locale = "C.UTF-8" if sys.platform == "linux" else "en_US.UTF-8"
    command: list[str | Path] = [
        found / "initdb",
        "-D",
        folder / "data",
        "-U",
        USER,
        "--auth=scram-sha-256",
        f"--pwfile={secret}",
    ]
    try:
        ended = run(
            [*command, "--encoding=UTF8", f"--locale={locale}", "--no-sync"],
            environment=environment(),
            folder=Path("/"),
            user=unprivileged_user(),
            seconds=POSTGRES_START_SECONDS,
            separate=True,
        )
    except TimeLimitError:
        raise ClusterError(f"PostgreSQL was not set up in {folder} within {POSTGRES_START_SECONDS:.0f} s") from None
    finally:
        secret.unlink()
    if ended.code:
        raise ClusterError(f"PostgreSQL cannot be set up in {folder}: {_reason(ended.text)}")


def _ready(server: Server, record: Path) -> bool:
    """Wait until the server is ready, which the eighth line of postmaster.pid says. False when it has ended."""
    until = time.monotonic() + POSTGRES_START_SECONDS
    while server.process.poll() is None:
        lines = record.read_text(encoding="utf-8").splitlines() if record.exists() else []
        if len(lines) > 7 and lines[7].strip() == "ready":
            return True
        if time.monotonic() > until:
            raise ClusterError(f"PostgreSQL did not start within {POSTGRES_START_SECONDS:.0f} s")
        time.sleep(0.01)
    return False


def _reason(said: str) -> str:
    lines = [line for line in said.splitlines() if "error:" in line or "FATAL:" in line]
    return (lines or said.strip().splitlines() or ["it does not say why"])[0]


def _version(folder: Path) -> list[int]:
    return [int(part) for part in "".join(c if c.isdigit() else " " for c in str(folder)).split()]


def _reachable() -> Path:
    """Return a folder for temporary files that every user can enter; a disk, where /tmp may be memory."""
    for name in (os.environ.get("TMPDIR"), "/var/tmp", tempfile.gettempdir()):  # noqa: S108
        folder = Path(name or "/nowhere")
        if folder.is_dir() and all(above.stat().st_mode & 0o001 for above in (folder, *folder.parents)):
            return folder
    raise ClusterError("no temporary folder that other users can enter; set TMPDIR to one")
