"""podman, which runs images on this machine: https://podman.io/ .

Values in arguments are our own or were checked; what is secret goes by way of podman's own environment or of files.
"""

import json
import shutil
import signal
import threading
from functools import cache

from bot import process
from bot.program_environment import CONTAINERS, listed_environment
from cluster.errors import ClusterError
from cluster.limits import PODMAN_END_SECONDS

COMMAND = ("podman", "--log-level", "error")
HOW_TO_INSTALL = "apt install podman (other systems: https://podman.io/docs/installation)"
OLDEST = 4
_NOTE = 'time="'  # how a line of its log begins


def is_rootless() -> bool:
    """Tell whether podman runs containers as this user, without root.

    Raises ClusterError, which says what is missing and what to do, when podman does not work here.
    """
    if shutil.which(COMMAND[0]) is None:
        raise ClusterError(f"running images on this machine needs podman: {HOW_TO_INSTALL}")
    return _works_rootless()


def podman(*arguments: str, stop: threading.Event | None = None) -> str:
    """Return what `podman ARGUMENTS` prints. Raises ClusterError with its reason, and StoppedError."""
    try:
        ended = process.run(
            [*COMMAND, *arguments],
            environment=listed_environment(*CONTAINERS),
            stop=stop,
            grace=PODMAN_END_SECONDS,
            separate=True,
            orphaned=signal.SIGTERM,
        )
    except process.StartError as error:
        raise ClusterError(f"podman cannot be started: {error.reason}") from None
    if ended.code:
        raise ClusterError(f"podman {arguments[0]}: {reason(ended.text) or f'exit code {ended.code}'}")
    return ended.out.strip()


def reason(stderr: str) -> str:
    """Return the last of podman's errors."""
    lines = without_notes(stderr).splitlines() or stderr.strip().splitlines()
    errors = [line for line in lines if line.startswith("Error: ")] or lines
    return errors[-1].removeprefix("Error: ") if errors else ""


def without_notes(stderr: str) -> str:
    """Return what is not a line of podman's log."""
    return "\n".join(line.rstrip() for line in stderr.splitlines() if line.strip() and not line.startswith(_NOTE))


@cache
def _works_rootless() -> bool:
    info = json.loads(podman("info", "--format", "json"))
    version = str(info["version"]["Version"])
    if int(version.partition(".")[0]) < OLDEST:
        raise ClusterError(f"running images on this machine needs podman {OLDEST} or newer; this is {version}")
    return bool(info["host"]["security"]["rootless"])
