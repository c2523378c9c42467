"""Processes that end for certain: a session of their own, and a mark in the environment that descendants inherit.

The signal to the group reaches dpp and its processors; the mark finds those that left the group (daemons,
`setsid`). dpp's own ways of stopping orphan processes or hang, so nothing is asked of it.
"""

import os
import signal
import subprocess
import sys
import threading
from collections import deque
from pathlib import Path
from typing import BinaryIO, Deque, List, Mapping, Optional, Sequence, cast

MARK = "DPPCTL_PROCESS_MARK"
SECONDS_TO_END = 1.0
LINES_KEPT = 100


class PipelineProcess:
    """A process with all that it starts, in a session of its own; what it leaves behind is ended with it."""

    def __init__(self, mark: str) -> None:
        """mark: what MARK is in the environment of all of them."""
        self.pid = 0
        self.stderr: BinaryIO
        self.returncode: Optional[int] = None
        self._mark = f"{MARK}={mark}"
        self._ended = threading.Event()

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
        self._ended.wait()
        assert self.returncode is not None  # noqa: S101 - for the type checker
        return self.returncode

    def has_ended(self, code: int) -> None:
        """Take note that it has ended, with this exit code; end what it left behind."""
        # Readers of `stderr` wait for its end, which comes only when every descendant that holds it is gone.
        self.returncode = code
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
            if self.pid:
                os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):
            return  # nobody left in it (macOS says EPERM for a group of zombies)

    def _reap_orphans(self) -> None:
        # As a container's first process the worker inherits the orphans of the group.
        if os.getpid() != 1 or self.returncode is None or not self.pid:
            return
        try:
            while os.waitpid(-self.pid, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return


class OwnedProcess(PipelineProcess):
    """A command that this process starts."""

    def __init__(
        self, command: List[str], folder: Path, environment: Mapping[str, str], descriptors: Sequence[int] = ()
    ) -> None:
        """Start the command in the folder; its stderr is a pipe, `stderr`; it inherits the descriptors.

        Raises OSError when it cannot start.
        """
        mark = new_mark()
        super().__init__(mark)
        self._process = subprocess.Popen(
            command,
            cwd=str(folder),
            env={**environment, MARK: mark},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
            pass_fds=descriptors,
        )
        self.pid = self._process.pid
        self.stderr = cast(BinaryIO, self._process.stderr)
        threading.Thread(target=lambda: self.has_ended(self._process.wait()), daemon=True).start()


class Drain:
    """Reads what a process writes, so that it never waits for a reader; keeps the end of it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._kept: Deque[bytes] = deque(maxlen=LINES_KEPT)
        self._thread = threading.Thread(target=lambda: self._kept.extend(stream), daemon=True)
        self._thread.start()

    def text(self) -> str:
        """Return its last lines, when it has ended."""
        self._thread.join()
        return b"".join(self._kept).decode("utf8", "replace").strip()


def new_mark() -> str:
    """Return a mark that no other process has; all are of the same length."""
    return os.urandom(16).hex()


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
