"""podman, which runs images on this machine: https://podman.io

Each call has an end, and a reader that no longer wants it can end it sooner. Values in arguments are our own or were
checked; what is secret goes by way of podman's own environment or of files.
"""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from functools import cache

from cluster.errors import ClusterError
from cluster.limits import PODMAN_POLL_SECONDS
from cluster.local.processes import die_with_parent

COMMAND = ("podman", "--log-level", "error")
HOW_TO_INSTALL = "apt install podman (other systems: https://podman.io/docs/installation)"
OLDEST = 4
_NOTE = 'time="'  # how a line of its log begins

GoOn = Callable[[], bool]


def always() -> bool:
    """Somebody wants the answer, however long it takes."""
    return True


def is_rootless() -> bool:
    """Whether podman runs containers as this user, without root.

    It is also the look whether podman works here: raises ClusterError that says what is missing and what to do.
    """
    if shutil.which(COMMAND[0]) is None:
        raise ClusterError(f"running images on this machine needs podman: {HOW_TO_INSTALL}")
    return _works_rootless()


def podman(*arguments: str, go_on: GoOn = always) -> str:
    """What `podman ARGUMENTS` prints. Raises ClusterError with its reason, also when `go_on` says no."""
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,  # so that its helpers end with it
        preexec_fn=die_with_parent(signal.SIGTERM),
    )
    with process:
        try:
            out, err = _answer(process, arguments[0], go_on)
        finally:
            if process.poll() is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
    if process.returncode:
        raise ClusterError(f"podman {arguments[0]}: {reason(err) or f'exit code {process.returncode}'}")
    return out.strip()


def reason(stderr: str) -> str:
    """The last of podman's errors."""
    lines = without_notes(stderr).splitlines() or stderr.strip().splitlines()
    errors = [line for line in lines if line.startswith("Error: ")] or lines
    return errors[-1].removeprefix("Error: ") if errors else ""


def without_notes(stderr: str) -> str:
    """What is there beside the lines of podman's log."""
    return "\n".join(line.rstrip() for line in stderr.splitlines() if line.strip() and not line.startswith(_NOTE))


@cache
def _works_rootless() -> bool:
    info = json.loads(podman("info", "--format", "json"))
    version = str(info["version"]["Version"])
    if int(version.partition(".")[0]) < OLDEST:
        raise ClusterError(f"running images on this machine needs podman {OLDEST} or newer; this is {version}")
    return bool(info["host"]["security"]["rootless"])


def _answer(process: "subprocess.Popen[str]", command: str, go_on: GoOn) -> tuple[str, str]:
    while True:
        try:
            return process.communicate(timeout=PODMAN_POLL_SECONDS)
        except subprocess.TimeoutExpired:
            if not go_on():
                raise ClusterError(f"podman {command}: stopped") from None
