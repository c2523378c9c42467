"""Files that no other user of the machine sees, and temporary ones that a kill leaves until the next start only."""

import atexit
import fcntl
import os
import secrets
import shutil
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO

_held: list[IO[str]] = []  # locks, until this process ends


def keep_private(folder: Path) -> None:
    """Make a folder for this user only, and so whatever this process and its programs make from now on.

    A folder that is others' too (a volume of a cluster, /tmp) stays as it is. Raises OSError.
    """
    os.umask(0o077)
    folder.mkdir(parents=True, exist_ok=True)
    status = folder.stat()
    if status.st_uid == os.geteuid() and not status.st_mode & stat.S_ISVTX:
        folder.chmod(0o700)


def use_temporary_folder(above: Path) -> Path:
    """Return a new folder in `above` where this process and its programs have temporary files; it goes at the end.

    Those of processes that are gone are removed. Raises OSError.
    """
    above.mkdir(exist_ok=True)
    with (above / "lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        for folder in above.iterdir():
            if folder.is_dir() and not is_used(folder):
                shutil.rmtree(folder, ignore_errors=True)
        made = Path(tempfile.mkdtemp(dir=above))
        lock = (made / "lock").open("w")
        fcntl.flock(lock, fcntl.LOCK_EX)
    _held.append(lock)
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    os.environ["TMPDIR"] = tempfile.tempdir = str(made)
    return made


def read_or_make_key(file: Path) -> str:
    """Return the key in a file for this user only, which is made, whole, by whoever asks first. Raises OSError."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, new = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)  # mode 0600
        with open(handle, "w") as made:
            made.write(secrets.token_urlsafe(32))
        with suppress(FileExistsError):  # another process was quicker: its key is the one
            os.link(new, file)
        Path(new).unlink()
    return file.read_text().strip()


def is_used(folder: Path) -> bool:
    """Return whether a process holds the lock of a folder."""
    try:
        with (folder / "lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except (FileNotFoundError, NotADirectoryError):
        pass
    return False
