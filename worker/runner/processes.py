"""Processes that end for certain: a session of their own, and a mark in the environment that descendants inherit.

The signal to the group reaches dpp and its processors; the mark finds those that left the group (daemons,
`setsid`). dpp's own ways of stopping orphan processes or hang, so nothing is asked of it.
"""

import os
import signal
import subprocess
import sys
import threading
import uuid
from pathlib import Path
from typing import BinaryIO, Dict, List, Mapping, cast

MARK = "DPPCTL_PROCESS_MARK"
SECONDS_TO_END = 1.0


class OwnedProcess:
    """One command with all that it starts, in a session of its own; what it leaves behind is ended with it."""

    def __init__(self, command: List[str], folder: Path, environment: Mapping[str, str]) -> None:
        """Start the command in the folder; its stderr is a pipe, `stderr`. Raises OSError when it cannot start."""
        self._mark = f"{MARK}={uuid.uuid4().hex}"
        marked: Dict[str, str] = dict(environment)
        marked[MARK] = self._mark.split("=")[1]
        self._process = subprocess.Popen(
            command,
            cwd=str(folder),
            env=marked,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self.stderr = cast(BinaryIO, self._process.stderr)
        self._ended = threading.Event()
        self._reaper = threading.Thread(target=self._reap, daemon=True)
        self._reaper.start()

    def stop(self) -> None:
        """End it and all that it started: SIGTERM, and after a second SIGKILL. Returns when it is done."""
        if self._ended.is_set():
            return  # its number may be somebody else's by now
        self._signal_group(signal.SIGTERM)
        if not self._ended.wait(SECONDS_TO_END):
            self._kill_all()
            self._ended.wait(SECONDS_TO_END)

    def wait(self) -> int:
        """Wait for its end and return the exit code; negative: the number of the signal that ended it."""
        self._reaper.join()
        return self._process.returncode

    def _reap(self) -> None:
        # Readers of `stderr` wait for its end, which comes only when every descendant that holds it is gone.
        self._process.wait()
        self._kill_all()
        self._ended.set()

    def _kill_all(self) -> None:
        self._signal_group(signal.SIGKILL)
        for pid in processes_with(self._mark):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self._reap_orphans()

    def _signal_group(self, number: signal.Signals) -> None:
        try:
            os.killpg(self._process.pid, number)
        except (ProcessLookupError, PermissionError):
            return  # nobody left in it (macOS says EPERM for a group of zombies)

    def _reap_orphans(self) -> None:
        # As a container's first process the worker inherits the orphans of the group.
        if os.getpid() != 1 or self._process.returncode is None:
            return
        try:
            while os.waitpid(-self._process.pid, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return


def keep_private() -> None:
    """Let no other process of this user look into this one, or use its pipes (Linux: prctl(2), proc(5)).

    Pipelines run as the same user. What they start afterwards is not concerned.
    """
    if sys.platform.startswith("linux"):
        pr_set_dumpable = 4
        try:
            import ctypes  # small images have a Python without it

            ctypes.CDLL(None).prctl(pr_set_dumpable, 0, 0, 0, 0)
        except (ImportError, OSError, AttributeError):
            return


def processes_with(mark: str) -> List[int]:
    """Return the ids of processes whose environment holds `NAME=value`; [] without /proc (only Linux has it)."""
    if not sys.platform.startswith("linux"):
        return []
    wanted = mark.encode()
    numbered = [folder for folder in Path("/proc").iterdir() if folder.name.isdigit()]
    return [int(folder.name) for folder in numbered if wanted in _environment_of(folder).split(b"\0")]


def _environment_of(folder: Path) -> bytes:
    try:
        return (folder / "environ").read_bytes()
    except OSError:
        return b""  # it ended meanwhile, or belongs to somebody else
