"""The one function that runs a builder's programs: lines as they come, a time limit, an end when nobody waits.

A build is somebody else's code. So its programs get an environment of few, named variables, and none of the bot's.
"""

import os
import re
import select
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from bot.images.builders.interface import BuildError, BuildStoppedError
from bot.limits import BUILD_END_SECONDS, MAX_BUILD_LINE, MAX_BUILD_TAIL

_LOOK_SECONDS = 0.1
_INHERITED = ("PATH", "SSL_CERT_FILE", "SSL_CERT_DIR")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
# Colours and cursor movements, and what else no terminal shows: https://en.wikipedia.org/wiki/ANSI_escape_code
_UNSEEN = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")


class Watch:
    """Until when a build may go on."""

    def __init__(self, stop: Event, seconds: float) -> None:
        self._stop = stop
        self._seconds = seconds
        self._until = time.monotonic() + seconds

    def check(self) -> None:
        """Raises BuildStoppedError, or BuildError when the time is up."""
        if self._stop.is_set():
            raise BuildStoppedError("the build was stopped")
        if time.monotonic() > self._until:
            raise BuildError(
                f"the build took longer than {self._seconds:g} seconds and was ended; make it shorter, or let "
                "DPPCTL_BUILD_SECONDS allow more"
            )


@dataclass(frozen=True)
class Ended:
    """A program's exit code and its last lines, stdout and stderr together as they came."""

    code: int
    lines: list[str]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def run(
    command: Sequence[str | Path],
    environment: Mapping[str, str],
    watch: Watch,
    log: Callable[[str], None] = lambda _: None,
    folder: Path | None = None,
) -> Ended:
    """Run the command to its end. Raises what `watch` raises, when nothing of its process group runs any more.

    Raises OSError when the program is not there.
    """
    watch.check()
    process = subprocess.Popen(
        [str(part) for part in command],
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    last: deque[str] = deque(maxlen=MAX_BUILD_TAIL)
    try:
        for line in _lines(process, watch):
            last.append(line)
            log(line)
    finally:
        _end(process)
    return Ended(process.returncode, list(last))


def ask(command: Sequence[str | Path], environment: Mapping[str, str], seconds: float) -> Ended:
    """Run a short command. One that is not there, or takes too long, ends with 127 and a line that says so."""
    try:
        return run(command, environment, Watch(Event(), seconds))
    except OSError as error:
        return Ended(127, [f"{command[0]}: {error.strerror}"])
    except BuildError:
        return Ended(127, [f"{command[0]}: no answer within {seconds:g} seconds"])


def clean_environment(home: Path, *more: str) -> dict[str, str]:
    """What a builder's program gets: the variables that it needs, `more` among them, and no others.

    Proxies, which builders pass on to the build, only without a password.
    """
    kept = {name: os.environ[name] for name in (*_INHERITED, *more) if name in os.environ}
    kept |= {name: os.environ[name] for name in _PROXIES if "@" not in os.environ.get(name, "@")}
    return {"PATH": os.defpath, **kept, "HOME": str(home), "LC_ALL": "C.UTF-8"}


def _lines(process: subprocess.Popen[bytes], watch: Watch) -> Iterator[str]:
    """Its output until its end, line by line; what is longer than a line may be is cut."""
    assert process.stdout is not None  # noqa: S101 - for the type checker
    output = process.stdout.fileno()
    begun = b""
    while True:
        watch.check()
        if select.select([output], [], [], _LOOK_SECONDS)[0]:
            read = os.read(output, 2**16)
            if not read:
                break
            # Progress bars go back to the start of their line; the rest of a line that is too long is dropped.
            *whole, begun = re.split(rb"\r\n|\n|\r", begun + read)
            for line in whole:
                yield shown(line)
            begun = begun[: 4 * MAX_BUILD_LINE]
        elif process.poll() is not None:
            break  # somebody whom it left behind holds the other end
    if begun:
        yield shown(begun)
    while process.poll() is None:
        watch.check()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_LOOK_SECONDS)


def shown(line: bytes) -> str:
    text = _UNSEEN.sub("", line.decode(errors="replace"))
    return text if len(text) <= MAX_BUILD_LINE else text[: MAX_BUILD_LINE - 1] + "…"


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask, wait a little, then kill: the whole group, also when its leader has ended."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(BUILD_END_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout:
        process.stdout.close()
