"""What builders' programs have in common: the deadline of their build, and an environment of few, named variables.

A build is somebody else's code, so it gets none of the bot's variables.
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Event

from bot import process
from bot.images.builders.interface import BuildError

_INHERITED = ("PATH", "SSL_CERT_FILE", "SSL_CERT_DIR")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")


class Deadline:
    """The time until which a build may go on, however many programs it takes."""

    def __init__(self, stop: Event, seconds: float) -> None:
        self._stop = stop
        self._seconds = seconds
        self._until = time.monotonic() + seconds

    def check(self) -> None:
        """Raise StoppedError when the build was stopped, or BuildError when the time is up."""
        if self._stop.is_set():
            raise process.StoppedError("the build was stopped")
        if time.monotonic() > self._until:
            raise self._over()

    def run(
        self,
        command: Sequence[str | Path],
        environment: Mapping[str, str],
        log: Callable[[str], None] = lambda _line: None,
        secrets: Sequence[str] = (),
    ) -> process.Ended:
        """Run a program of the build, whose output is without `secrets`.

        Raises what `check` raises, then nothing of it runs any more, and StartError.
        """
        self.check()
        left = self._until - time.monotonic()
        try:
            return process.run(
                command, environment=environment, seconds=left, stop=self._stop, on_line=log, secrets=secrets
            )
        except process.TimeLimitError:
            raise self._over() from None

    def _over(self) -> BuildError:
        return BuildError(
            f"the build took longer than {self._seconds:g} seconds and was ended; make it shorter, or let "
            "DPPCTL_BUILD_SECONDS allow more"
        )


def clean_environment(home: Path, *more: str) -> dict[str, str]:
    """Return a builder's environment: the variables that it needs, `more` among them, and no others.

    Proxies, which builders pass on to the build, only without a password.
    """
    kept = {name: os.environ[name] for name in (*_INHERITED, *more) if name in os.environ}
    kept |= {name: os.environ[name] for name in _PROXIES if "@" not in os.environ.get(name, "@")}
    return {"PATH": os.defpath, **kept, "HOME": str(home), "LC_ALL": "C.UTF-8"}
