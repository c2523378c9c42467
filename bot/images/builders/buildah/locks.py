"""Who uses a storage of layers: any number of builds, or one that prunes it, whatever processes they are of.

`dppctl build` and the bot have the same folder. The kernel ends a lock with the process that holds it.
"""

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

_AGAIN_SECONDS = 0.1


@contextmanager
def shared(file: Path, check: Callable[[], None]) -> Iterator[None]:
    """Hold a lock together with others that build; wait while somebody prunes.

    `check` is called while it waits, and raises when that is to end.
    """
    with _opened(file) as lock:
        while not _locks(lock, fcntl.LOCK_SH):
            check()
            time.sleep(_AGAIN_SECONDS)
        yield


@contextmanager
def exclusive(file: Path, kind: int = fcntl.LOCK_EX) -> Iterator[bool]:
    """Hold a lock alone, where nobody else has it; yields whether that is so. `kind`: the kernel's lock."""
    with _opened(file) as lock:
        yield _locks(lock, kind)


@contextmanager
def _opened(file: Path) -> Iterator[IO[str]]:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as lock:
        yield lock


def _locks(lock: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
