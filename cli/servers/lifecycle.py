"""What the commands that serve share: they read the settings, start their parts, and end when they are asked to."""

import fcntl
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

import click

from bot.errors import DppctlError
from bot.logs import configure, get_logger
from bot.model.registration import REGISTRATION_FILE, Target, read_registration
from bot.settings import Settings, load_settings
from bot.settings.load import read_variables
from bot.settings.variables import misspelt

_log = get_logger("dppctl.up")


@dataclass(frozen=True)
class Setup:
    """What a server is made with."""

    config: Path
    settings: Settings
    targets: frozenset[Target]


class Server(Protocol):
    """Started once, stopped once."""

    hello: str  # said when it runs

    @property
    def broken(self) -> bool: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...


def set_up(config: Path, *, receives: bool = True) -> Setup:
    """Read settings and registration, and log from here on. Raises DppctlError. `receives`: as load_settings."""
    settings = load_settings(config, receives=receives)
    targets = read_registration(config / REGISTRATION_FILE)
    configure(settings.all_secrets)
    _warn_of_misspelt(config)
    settings.state_dir.mkdir(parents=True, exist_ok=True)
    return Setup(config, settings, targets)


def _warn_of_misspelt(config: Path) -> None:
    """Log one line that names the variables which mean nothing."""
    if found := misspelt(read_variables(config)):
        names = ", ".join(f"{name} (did you mean {near}?)" if near else name for name, near in found.items())
        _log.warning("there is no such setting", variables=names)


def lock(state: Path) -> IO[str]:
    """Held as long as the file is open. Raises DppctlError when another one works in that folder."""
    file = (state / "lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise DppctlError(f"another `dppctl up` or bot uses {state}; stop it, or set DPPCTL_STATE_DIR") from None
    return file


def serve(make: Callable[[threading.Event], Server]) -> None:
    """Run a server until SIGTERM or Ctrl-C, or until it breaks: then exit code 1.

    `make` gets what is set by whoever wants the end: the signals, or a part that broke.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)  # while it sets up
    try:
        server = make(stop)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        server.start()
        click.echo(server.hello)
        stop.wait()
        server.stop()
    except KeyboardInterrupt:
        return
    if server.broken:
        raise SystemExit(1)


class Parts:
    """Threads of one server. One that breaks ends the whole: whoever supervises us starts it afresh."""

    def __init__(self, stopping: threading.Event, works: dict[str, Callable[[], None]]) -> None:
        self._stopping = stopping
        self.broken = False
        self.threads = {
            name: threading.Thread(target=self._guard, args=(name, work), name=name, daemon=True)
            for name, work in works.items()
        }

    def start(self) -> None:
        """All of them."""
        for thread in self.threads.values():
            thread.start()

    def _guard(self, name: str, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException:
            _log.exception("a part broke", part=name)
            raise
        finally:
            if not self._stopping.is_set():
                _log.error("a part ended by itself", part=name)
                self.broken = True
                self._stopping.set()
