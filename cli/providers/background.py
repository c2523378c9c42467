"""A program that goes on when the command that started it has ended: with its log, and its exit code in a file."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cli.errors import InputError

# The shell stays beside the program, to write its exit code down.
_SHELL = '"$@"; echo $? >"$0"'


@dataclass(frozen=True)
class BackgroundState:
    """How far it is. `code`: its exit code; None: it runs, or was ended from outside."""

    is_running: bool
    begun: float  # seconds since 1970
    code: int | None = None
    last_line: str = ""  # of its log


class BackgroundProgram:
    """One program at a time, whose files are in one folder."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "start.log"
        self._folder, self._exit, self._about = folder, folder / "start.exit", folder / "start.json"
        self._child: subprocess.Popen[bytes] | None = None

    def start(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start it in a session of its own: neither Ctrl-C nor the terminal's end reaches it. Raises InputError."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self.forget()
            with self.log.open("wb") as log:
                self._child = subprocess.Popen(
                    ["sh", "-c", _SHELL, str(self._exit), *command],
                    env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                )  # fmt: skip
            self._about.write_text(json.dumps({"pid": self._child.pid, "begun": time.time()}))
        except OSError as error:
            raise InputError(f"{error.filename or command[0]}: {error.strerror}") from None

    def state(self) -> BackgroundState | None:
        """Return how far it is; None: none was started, or it was forgotten."""
        try:
            about = json.loads(self._about.read_text())
            pid, begun = int(about["pid"]), float(about["begun"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        with suppress(OSError, ValueError):
            return BackgroundState(False, begun, int(self._exit.read_text()), self._last_line())
        return BackgroundState(self._is_alive(pid), begun, last_line=self._last_line())

    def end(self) -> None:
        """End it, with all that it started in its session."""
        if self._child:
            self._child.poll()
        found = self.state()
        if found and found.is_running:
            with suppress(OSError):
                os.killpg(int(json.loads(self._about.read_text())["pid"]), signal.SIGTERM)

    def forget(self) -> None:
        """Forget how it ended; its log stays."""
        for file in (self._about, self._exit):
            file.unlink(missing_ok=True)

    def _is_alive(self, pid: int) -> bool:
        if self._child and self._child.pid == pid:
            return self._child.poll() is None
        try:
            os.kill(pid, 0)
        except OSError:
            return False
        return True

    def _last_line(self) -> str:
        try:
            lines = self.log.read_text(encoding="utf-8", errors="replace").split("\n")
        except OSError:
            return ""
        return next((line.strip()[-300:] for line in reversed(lines) if line.strip()), "")
