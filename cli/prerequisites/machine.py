"""What dppctl needs of the machine: Python, git, uv, folders to write to, a free port."""

import errno
import os
import re
import shutil
import socket
import sys
import time
from pathlib import Path

from cli.limits import VERSION_SECONDS
from cli.prerequisites.missing import Missing

OLDEST_PYTHON = (3, 11, 4)  # pyproject.toml says why
# It has GIT_CONFIG_COUNT and GIT_CONFIG_GLOBAL, by which git gets the token and nobody's settings:
# https://github.com/git/git/blob/master/Documentation/RelNotes/2.32.0.txt
OLDEST_GIT = (2, 32)


def python() -> Missing | None:
    """Look whether this Python is new enough."""
    if sys.version_info[:3] >= OLDEST_PYTHON:
        return None
    return Missing(
        f"this is Python {_dotted(sys.version_info[:3])}, and dppctl needs {_dotted(OLDEST_PYTHON)} or newer",
        "install dppctl with a newer one: uv tool install --python 3.12 . (in a clone: make PYTHON=python3.12)",
    )


def git() -> Missing | None:
    """Look for a git that is new enough."""
    program = shutil.which("git")
    if program is None:
        return Missing("git: this program is not on PATH", "install it (the package is called git)")
    found = program_version([program, "--version"])
    numbers = tuple(int(part) for part in re.findall(r"\d+", found)[:2])
    if numbers >= OLDEST_GIT:
        return None
    return Missing(
        f"{program} is git {found}, and dppctl needs {_dotted(OLDEST_GIT)} or newer",
        "install a newer one; what keeps tokens out of its arguments came with that release",
    )


def git_author(folder: Path) -> Missing | None:
    """Look whether git knows in whose name this user commits in a folder, which is what comes after init."""
    from bot.process import ask
    from bot.program_environment import listed_environment

    command = ["git", "-C", str(folder), "var", "GIT_AUTHOR_IDENT"]
    if git() or not ask(command, listed_environment("GIT_*", "EMAIL"), VERSION_SECONDS, separate=True).code:
        return None
    return Missing(
        "git does not know yet in whose name you commit",
        'git config --global user.name "YOUR NAME"; git config --global user.email YOU@EXAMPLE.ORG',
    )


def uv() -> Missing | None:
    """Look for uv, which comes with dppctl."""
    if uv_program():
        return None
    return Missing("uv, which makes dpp's environment, is not there", "install it beside dppctl: pip install uv")


def uv_program() -> str | None:
    """Return where uv is; None: it is missing."""
    try:
        import uv

        return str(uv.find_uv_bin())
    except (ImportError, FileNotFoundError):
        return None


def writable(folder: Path, option: str) -> Missing | None:
    """Look whether a folder, or one that is to be made, can be written to; `option`: what names another one."""
    existing = next(above for above in (folder.absolute(), *folder.absolute().parents) if above.exists())
    if existing.is_dir() and os.access(existing, os.W_OK | os.X_OK):
        return None
    reason = "you may not write there" if existing.is_dir() else f"{existing} is no folder"
    return Missing(
        f"{folder.absolute()}: {reason}", f"take another folder ({option}), or have its owner give it to you"
    )


def port(host: str, number: int, setting: str, seconds: float = 0.0) -> Missing | None:
    """Look whether a port is free, for so many seconds: what was killed a moment ago may still hold it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    end = time.monotonic() + seconds
    while True:
        try:
            socket.create_server((host, number), family=family).close()
        except OSError as error:
            if error.errno == errno.EADDRINUSE and time.monotonic() < end:
                time.sleep(0.1)
                continue
            reason = str(error.strerror).partition(" (while")[0]  # create_server names the address again
            return Missing(
                f"{setting}: port {number} of {host} cannot be used: {reason}",
                f"end what uses it, or set {setting} to another port",
            )
        return None


def program_version(command: list[str]) -> str:
    """Return the version that a program tells, or the first line that it says instead."""
    from bot.process import ask
    from bot.program_environment import CONTAINERS, listed_environment

    ended = ask(command, listed_environment(*CONTAINERS), VERSION_SECONDS, separate=True)
    found = re.search(r"\d+(\.\w+)+", ended.out)
    return found[0] if found else (ended.out or ended.text).strip().partition("\n")[0]


def _dotted(numbers: tuple[int, ...]) -> str:
    return ".".join(map(str, numbers))
