"""The one way to run a program to its end: what it may use, how long it may take, and that nothing of it stays.

A program gets an argv list, the environment that its caller wrote down, and a session of its own without a terminal.
However a call ends, by itself, by a limit, by `stop` or by an exception in the caller, its whole process group has
ended then; and it ends when this process dies. What serves, or is talked to, is started with `subprocess` itself.
"""

import os
import pwd
import selectors
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import IO, Any

from bot.errors import PermanentError, TransientError
from bot.limits import MAX_PROGRAM_OUTPUT, PROGRAM_END_SECONDS
from bot.output import Lines
from bot.parent_death import bound_to_parent

_POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Ended:
    """A program's exit code (-N: by signal N) and its last lines; `out`: all of stdout, when that was kept apart."""

    code: int
    lines: list[str]
    out: str = ""

    @property
    def text(self) -> str:
        """Return the lines as one text."""
        return "\n".join(self.lines)


class StartError(PermanentError):
    """The program cannot be started, such as when it is not installed; `reason`: the system's word for it."""

    def __init__(self, program: str, reason: str) -> None:
        super().__init__(f"{program}: {reason}")
        self.reason = reason


class EndedError(TransientError):
    """The program was made to end; `ended`: how it did, None when it was not even started."""

    def __init__(self, message: str, ended: Ended | None = None) -> None:
        super().__init__(message)
        self.ended = ended


class StoppedError(EndedError):
    """Somebody asked for the end."""


class TimeLimitError(EndedError):
    """The program took too long, or wrote nothing for too long."""


def run(
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str],
    folder: Path | None = None,
    user: str | None = None,
    stdin: str = "",
    seconds: float = inf,
    silence: float = inf,
    stop: threading.Event | None = None,
    grace: float = PROGRAM_END_SECONDS,
    on_line: Callable[[str], None] = lambda _line: None,
    secrets: Sequence[str] = (),
    separate: bool = False,
    orphaned: signal.Signals = signal.SIGKILL,
) -> Ended:
    """Run a program to its end and return how it ended; an exit code that is not 0 is no error here.

    `user`: who runs it, when that is not this user. `seconds`, `silence`: limits for all of it, and for the time
    without output. `grace`: seconds between SIGTERM and SIGKILL. `on_line` gets each line of stdout and stderr as it
    comes, without `secrets`; with `separate` those of stderr only, while stdout is returned as it is. `orphaned`: the
    signal that it gets when this process dies. Raises StartError, StoppedError or TimeLimitError.
    """
    if stop and stop.is_set():
        raise StoppedError(f"{command[0]}: stopped")
    owner: dict[str, Any] = {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []} if user else {}
    try:
        process = subprocess.Popen(
            bound_to_parent(_found(command, environment), orphaned),
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if separate else subprocess.STDOUT,
            start_new_session=True,
            **owner,
        )
    except OSError as error:
        raise StartError(str(command[0]), error.strerror or str(error)) from None
    lines, out = Lines(on_line, secrets), bytearray()
    limits = _Limits(seconds, silence, stop or threading.Event(), grace)
    try:
        with selectors.DefaultSelector() as selector:
            keep = lines.add if not separate else lambda chunk: out.extend(chunk[: MAX_PROGRAM_OUTPUT - len(out)])
            for stream, take in ((process.stdout, keep), (process.stderr, lines.add)):
                if stream:
                    selector.register(stream, selectors.EVENT_READ, take)
            if process.stdin:
                threading.Thread(target=_feed, args=(process.stdin, stdin), daemon=True).start()
            why = _follow(process, selector, limits)
    finally:
        _end(process, grace)
    lines.close()
    ended = Ended(process.returncode, list(lines.last), out.decode(errors="replace"))
    if why:
        raise type(why)(f"{command[0]}: {why}", ended)
    return ended


def ask(command: Sequence[str | Path], environment: Mapping[str, str], seconds: float, **options: Any) -> Ended:
    """Run a short command. One that is missing, or takes too long, ends with 127 and a line that says so."""
    try:
        return run(command, environment=environment, seconds=seconds, **options)
    except StartError as error:
        return Ended(127, [str(error)])
    except TimeLimitError:
        return Ended(127, [f"{command[0]}: no answer within {seconds:g} seconds"])


@dataclass(frozen=True)
class _Limits:
    seconds: float
    silence: float
    stop: threading.Event
    grace: float

    def reached(self, begun: float, heard: float) -> EndedError | None:
        """Return why to end a program that began and last wrote something at these times; None: it may go on."""
        now = time.monotonic()
        if self.stop.is_set():
            return StoppedError("stopped")
        if now - begun > self.seconds:
            return TimeLimitError(f"no end within {self.seconds:g} seconds")
        if now - heard > self.silence:
            return TimeLimitError(f"no output for {self.silence:g} seconds")
        return None


def _follow(process: subprocess.Popen[bytes], selector: selectors.BaseSelector, limits: _Limits) -> EndedError | None:
    """Read the output until the program has ended. Return why it was made to, None when it ended by itself."""
    why: EndedError | None = None
    begun = heard = time.monotonic()
    kill_at = leave_at = inf
    while True:
        got = _read(process, selector)
        now = time.monotonic()
        heard = now if got else heard
        if process.poll() is not None:
            # What it left behind may hold the other end, and even go on writing.
            leave_at = min(leave_at, now + limits.grace)
            if not got or now > leave_at:
                return why
        elif why is None and (why := limits.reached(begun, heard)):
            _signal(process, signal.SIGTERM)
            kill_at = now + limits.grace
        elif now > kill_at:
            _signal(process, signal.SIGKILL)


def _read(process: subprocess.Popen[bytes], selector: selectors.BaseSelector) -> bool:
    """Pass on what is written within a moment. Return whether something was."""
    if not selector.get_map():  # all is closed: only the end is still to come
        with suppress(subprocess.TimeoutExpired):
            process.wait(_POLL_SECONDS)
        return False
    got = False
    for key, _ in selector.select(_POLL_SECONDS):
        if chunk := os.read(key.fd, 2**16):
            got = True
            key.data(chunk)
        else:
            selector.unregister(key.fileobj)
    return got


def _feed(stream: IO[bytes], text: str) -> None:
    with suppress(OSError), stream:
        stream.write(text.encode())


def _found(command: Sequence[str | Path], environment: Mapping[str, str]) -> list[str | Path]:
    """Return the command with its program's path. Raises FileNotFoundError, which setpriv would hide in a code."""
    if (program := shutil.which(command[0], path=environment.get("PATH", os.defpath))) is None:
        raise FileNotFoundError(2, os.strerror(2))
    return [program, *command[1:]]


def _end(process: subprocess.Popen[bytes], grace: float) -> None:
    """End the whole group, also when its leader has ended."""
    try:
        if process.poll() is None:
            _signal(process, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(grace)
    finally:
        _signal(process, signal.SIGKILL)
        process.wait()
        for stream in filter(None, (process.stdout, process.stderr)):
            stream.close()


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
