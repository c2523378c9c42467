"""Programs that end when dppctl does, even by SIGKILL: nobody is left then who could end them.

By `setpriv` of util-linux, which asks for the signal and becomes the program. `preexec_fn` could ask for it too, but
may deadlock in a process with threads: https://docs.python.org/3/library/subprocess.html#subprocess.Popen
"""

import functools
import shutil
import signal
import subprocess
from collections.abc import Iterable
from pathlib import Path


def bound_to_parent(command: Iterable[str | Path], number: signal.Signals) -> list[str]:
    """Return a command that does the same, and gets this signal when the thread that started it ends.

    Where there is no such setpriv the command stays as it is. The signal outlives a change of the program, not of its
    user: https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html
    """
    setpriv = _setpriv()
    return [*([setpriv, "--pdeathsig", number.name.removeprefix("SIG"), "--"] if setpriv else []), *map(str, command)]


@functools.cache
def _setpriv() -> str | None:
    """Return setpriv's path, None where it is missing or cannot do this, like that of busybox."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        return None
    tried = subprocess.run([setpriv, "--pdeathsig", "KILL", "true"], stderr=subprocess.DEVNULL, check=False)
    return None if tried.returncode else setpriv
