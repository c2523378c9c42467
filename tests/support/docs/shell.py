"""Somebody at a terminal who types what a page says.

Names on the page stand for the reader's own; `words` says what a test puts in their place.
"""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cluster.local.folders import cache_dir
from tests.support.forge import ENVIRONMENT as GIT
from tests.support.helm import kubectl

SECONDS = 300
Words = Mapping[str, str]


@dataclass
class Shell:
    """A person with a home of their own; `folder` is where they are, and `cd` moves it."""

    home: Path
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    complaints: str = ""  # on stderr, of the last command
    _started: list[subprocess.Popen[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.home.mkdir(exist_ok=True)
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("DPPCTL_", "GIT_"))}
        path = os.pathsep.join([str(Path(sys.executable).parent), str(kubectl().parent), os.environ["PATH"]])
        ours = {"HOME": str(self.home), "PATH": path, "DPPCTL_CACHE_DIR": str(cache_dir()), "PYTHONUNBUFFERED": "1"}
        self.environment = {**clean, **GIT, **ours, **self.environment}

    def types(self, command: str, words: Words | None = None, *, more: str = "", given: str = "", code: int = 0) -> str:
        """What it says on stdout; it must end with this code.

        command: the page's; more: options behind it; given: what it reads.
        """
        return self.prepares(f"{put(command, words)} {more}", given=given, code=code)

    def prepares(self, command: str, *, given: str = "", code: int = 0) -> str:
        """The same for what no page says, and a test needs."""
        place = self.home / ".folder"
        script = f"set -o pipefail\n{command}\ncode=$?\npwd > {place}\nexit $code"
        process = subprocess.Popen(
            ["bash", "-c", script],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # so that all of it can be ended
        )
        try:
            said, self.complaints = process.communicate(given, timeout=SECONDS)
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
        assert process.returncode == code, f"{command}: {process.returncode}\n{said}{self.complaints}"
        self.folder = Path(place.read_text().rstrip("\n"))
        return said

    def starts(self, command: str, words: Words | None = None, *, until: str, more: str = "") -> re.Match[str]:
        """Start what runs until it is ended, and wait for a line that has this pattern."""
        log = (self.home / "stderr").open("a")
        with log:
            process = subprocess.Popen(
                ["bash", "-c", f"exec {put(command, words)} {more}"],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self._started.append(process)
        for line in process.stdout or ():
            if found := re.search(until, line):
                return found
        raise AssertionError(f"{command} ended: {(self.home / 'stderr').read_text()}")

    def converses(self, command: str, answers: Sequence[tuple[str, str]], words: Words | None = None) -> str:
        """What is on the terminal when each answer is typed after its question; it must end well."""
        child, terminal = pty.fork()
        if child == 0:
            os.chdir(self.folder)
            os.execve("/bin/bash", ["bash", "-c", f"exec {put(command, words)}"], self.environment)
        said = ""
        try:
            for question, answer in answers:
                said = self._read(terminal, said, question)
                os.write(terminal, f"{answer}\n".encode())
            said = self._read(terminal, said, None)
        finally:
            os.close(terminal)
            _, status = os.waitpid(child, 0)
        assert status == 0, said
        return said.replace("\r\n", "\n")

    def end(self) -> None:
        """What was started ends; pods too."""
        while self._started:
            process = self._started.pop()
            process.terminate()
            try:
                process.communicate(timeout=20)
            finally:
                process.kill()
        if (self.home / ".local").exists():
            subprocess.run(["dppctl", "stop", "all"], env=self.environment, capture_output=True, check=True)

    def _read(self, terminal: int, said: str, expected: str | None) -> str:
        """What was said, and what comes up to the expected words or the end."""
        seen, end = len(said), time.monotonic() + SECONDS
        while expected is None or expected not in said[seen:]:
            assert select.select([terminal], [], [], end - time.monotonic())[0], f"no {expected!r} in {said!r}"
            try:
                chunk = os.read(terminal, 4096)
            except OSError:  # what Linux says when the other side is closed
                chunk = b""
            if not chunk:
                assert expected is None, f"it ended without {expected!r}: {said}"
                break
            said += chunk.decode()
        return said


def put(text: str, words: Words | None) -> str:
    """The text with these words in the place of others, the longest first."""
    for word, mine in sorted((words or {}).items(), key=lambda pair: -len(pair[0])):
        text = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", mine.replace("\\", r"\\"), text)
    return text


def is_like(shown: Sequence[str], said: str) -> None:
    """What a page shows is what was said. Raises AssertionError with the first line that did not come.

    Names, ports and hashes may be others, progress comes by the clock, and `…` stands for anything, lines too.
    """
    lines = [_common(line) for line in said.splitlines() if not re.search(r": RUNNING, processed \d+ rows$", line)]
    at, anywhere = 0, True
    for line in shown:
        if line.strip() == "…":
            anywhere = True
            continue
        pattern = ".*".join(re.escape(part) for part in _common(line).split("…"))
        found = next((n for n, one in enumerate(lines[at:], at) if re.fullmatch(pattern, one)), None)
        assert found is not None, f"{line!r} is not said, or not in its place:\n{said}"
        assert anywhere or found == at, f"before {line!r} more is said: {lines[at:found]}"
        at, anywhere = found + 1, False


_NAMES = (
    (r"dppctl-(worker|db)-[a-z0-9]+", r"dppctl-\1-NAME"),
    (r"/\S+(?=/\.local/)", "/HOME"),
    (r"(?<=127\.0\.0\.1:)\d+", "PORT"),
    (r"\b[0-9a-f]{32}\b", "HASH"),
    (r"\d+(?=\+\w+@users\.noreply)", "ID"),
)


def _common(line: str) -> str:
    for pattern, name in _NAMES:
        line = re.sub(pattern, name, line)
    return line.rstrip()
