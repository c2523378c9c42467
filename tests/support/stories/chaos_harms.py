"""What happens to bots of a story at random moments: gits are killed, and copies of repositories harmed."""

import contextlib
import os
import random
import signal
import time
from collections.abc import Iterable
from pathlib import Path

from tests.support.broken_copies import harm_at_random

WAIT_SECONDS = 3.0  # for a git, after a push
READERS = 0.2  # of what is killed may be a cat-file
MOMENT_SECONDS = 0.02  # at most, from the moment at which a git is there to its end


def kill_a_git(bots: Iterable[int], chance: random.Random) -> str | None:
    """Kill a git that one of these processes has started, at a random moment of its life; return which command.

    None: there was none for a while. It is killed by a handle of its own, so that no other process can be hit.
    """
    parents, end = set(bots), time.monotonic() + WAIT_SECONDS
    readers = chance.random() < READERS  # they are there most of the time, others for a moment
    while time.monotonic() < end:
        if gits := [pid for pid in _gits(parents) if readers or _command(pid) != "cat-file"]:
            with contextlib.ExitStack() as opened:
                pid = chance.choice(gits)
                try:
                    handle = os.pidfd_open(pid)
                except ProcessLookupError:
                    continue
                opened.callback(os.close, handle)
                command = _command(pid)
                time.sleep(chance.uniform(0, MOMENT_SECONDS))
                if command is None or _parent(pid) not in parents:
                    continue
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(handle, signal.SIGKILL)
                    return command
        time.sleep(0.002)
    return None


def harm_a_copy(state: Path, chance: random.Random) -> str | None:
    """Harm some files of one of a bot's copies of repositories, whatever the bot does there; None: there is none."""
    copies = sorted(folder for kind in ("apps", "ops") for folder in (state / kind).glob("*") if folder.is_dir())
    if not copies:
        return None
    copy = chance.choice(copies)
    try:
        return f"{copy.name}: {harm_at_random(copy, chance)}"
    except FileNotFoundError:  # git was quicker
        return None


def _gits(parents: set[int]) -> list[int]:
    found: list[int] = []
    for parent in parents:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                found += map(int, task.read_text().split())
    # `git version` is asked once at a start, which a bot without git gives up: whoever runs it starts it again.
    return [pid for pid in found if _command(pid) not in (None, "version")]


def _command(pid: int) -> str | None:
    """Return a git's command, such as `fetch`; None: it is no git, or has ended."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return None
    if "git" not in words[:6]:  # setpriv comes first, where it has not become git yet
        return None
    rest = words[words.index("git") + 1 :]
    return next((word for word in rest if word and not word.startswith("-") and "=" not in word), None)


def _parent(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None
