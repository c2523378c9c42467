"""What the commands that serve have in common: they read the settings, take a lock, and run until a signal."""

import fcntl
import signal
import socket
import stat
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from bot.errors import DppctlError
from bot.logs import configure, get_logger
from bot.model.file_names import REGISTRATION_FILE
from bot.model.registration import Target, read_registration
from bot.settings import Settings, load_settings
from bot.settings.load import read_variables
from bot.settings.variables import misspelt
from cli.config_option import check_servers_folder
from cli.end_signals import on_end_signals
from cli.garbage import resume_collection
from cli.output_options import say
from cli.private_files import keep_private, use_temporary_folder
from cli.servers.daemon import Daemon

_log = get_logger("dppctl.up")


@dataclass(frozen=True)
class Setup:
    """The configuration that a server is made with."""

    config: Path
    settings: Settings
    targets: frozenset[Target]


def set_up(config: Path, *, receives: bool = True) -> Setup:
    """Read settings and registration, and configure the log. Raises DppctlError. `receives`: as load_settings."""
    check_servers_folder(config)
    settings = read_settings(config, receives=receives)
    targets = read_registration(config / REGISTRATION_FILE)
    try:
        keep_private(settings.state_dir)
        use_temporary_folder(settings.state_dir / "tmp")
    except OSError as error:
        text = f"{error.filename or settings.state_dir}: {error.strerror}"
        raise DppctlError(f"{text}; servers keep their state there (DPPCTL_STATE_DIR)") from None
    return Setup(config, settings, targets)


def read_settings(config: Path, *, receives: bool = False) -> Settings:
    """Return the settings, and configure the log. Raises DppctlError."""
    settings = load_settings(config, receives=receives)
    configure(settings.all_secrets)
    _warn_of_misspelt(config)
    _warn_of_readers(config / ".env")
    return settings


def _warn_of_misspelt(config: Path) -> None:
    """Log one line that names the variables which mean nothing."""
    if found := misspelt(read_variables(config)):
        names = ", ".join(f"{name} (did you mean {near}?)" if near else name for name, near in found.items())
        _log.warning("there is no such setting", variables=names)


def _warn_of_readers(file: Path) -> None:
    """Log one line when other users of this machine can read the file of the secrets."""
    with suppress(OSError):
        if mode := stat.S_IMODE(file.stat().st_mode) & 0o077:
            _log.warning("others can read the secrets", file=file, mode=f"{mode:03o}", repair=f"chmod 600 {file}")


def lock(state: Path, user: str = "`dppctl up` or bot", setting: str = "DPPCTL_STATE_DIR") -> IO[str]:
    """Lock the folder as long as the returned file is open. Raises DppctlError when another process has the lock."""
    file = (state / "lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise DppctlError(f"another {user} uses {state}; stop it, or set {setting}") from None
    return file


def read_secret(variable: str, file: Path | None) -> bytes:
    """Return what a file holds that a setting names. Raises DppctlError when there is nothing."""
    if file is None:
        raise DppctlError(f"{variable}: is not set; name a file with it")
    if not (found := file.read_bytes()).strip():
        raise DppctlError(f"{variable}: {file} is empty")
    return found


def listen(variable: str, address: str) -> socket.socket:
    """Return a socket that listens on HOST:PORT, as a setting says. Raises DppctlError."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    try:
        return socket.create_server((host, int(port)), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except (OSError, OverflowError) as error:
        raise DppctlError(f"{variable}: cannot listen on {address}: {error}") from None


def serve(make: Callable[[threading.Event], Daemon]) -> None:
    """Run a server until SIGTERM or Ctrl-C, or until a part of it breaks: then exit code 1.

    `make` gets the event that ends the server: the signals set it, or a part that broke.
    """
    resume_collection()
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)  # while it sets up
    try:
        server = make(stopping)
        on_end_signals(stopping.set)
        broke = server.run(say)
    except KeyboardInterrupt:
        return
    if broke:
        raise SystemExit(1)
