"""Which process is meant, and how it ends.

A number alone does not name a process: the system gives it to another one later. An identity is the number and
the time at which the process started, so that a record of last week never ends a stranger.
"""

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

from bot.process import ask
from cluster.limits import PROCESS_POLL_SECONDS, PS_SECONDS

Identity = str
"""`PID STARTED`, as `identity` made it."""


def identity(pid: int) -> Identity | None:
    """Return the identity of a process; None when it does not run (any more)."""
    started = _started(pid)
    return f"{pid} {started}" if started else None


def me() -> Identity:
    return f"{os.getpid()} {_started(os.getpid())}"


def alive(process: Identity | None) -> bool:
    return process is not None and identity(_pid(process)) == process


def send(process: Identity | None, number: signal.Signals) -> None:
    """Send a signal to the process, unless it is gone."""
    if process is not None and alive(process):
        with contextlib.suppress(ProcessLookupError):
            os.kill(_pid(process), number)


def ended(process: Identity | None, within: float) -> bool:
    """Wait and tell whether the process ends in time (seconds). It need not be our child, so this can only poll."""
    until = time.monotonic() + within
    while alive(process):
        if time.monotonic() > until:
            return False
        time.sleep(PROCESS_POLL_SECONDS)
    return True


def end(process: Identity | None, first: signal.Signals = signal.SIGTERM, within: float = 2) -> None:
    """Ask, wait, then kill."""
    send(process, first)
    if not ended(process, within):
        send(process, signal.SIGKILL)
        ended(process, within)


def _pid(process: Identity) -> int:
    return int(process.partition(" ")[0])


def _started(pid: int) -> str:
    """Return when a process started; empty for a process that is gone, or dead and not yet collected by its parent."""
    if sys.platform == "linux":
        try:
            text = Path(f"/proc/{pid}/stat").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            return ""
        # The second field is the command in brackets, which may hold anything: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
        state, *fields = text.rpartition(b")")[2].split()
        return "" if state in (b"Z", b"X") else fields[18].decode()
    command = ["ps", "-o", "state=,lstart=", "-p", str(pid)]
    state, _, started = (
        ask(command, {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}, PS_SECONDS)
        .text.strip()
        .partition(" ")
    )
    return "" if state.startswith("Z") else "_".join(started.split())
