"""Where dppctl keeps its files on this machine.

They are those of the XDG Base Directory Specification
(https://specifications.freedesktop.org/basedir-spec/latest/); two settings move them.
"""

import os
from pathlib import Path


def data_dir() -> Path:
    """Return the folder of what should last: databases, storage, records of sessions. Setting: `DPPCTL_DATA_DIR`."""
    return _folder("DPPCTL_DATA_DIR", "XDG_DATA_HOME", ".local/share")


def cache_dir() -> Path:
    """Return the folder of what can be made again at any time: runtimes, downloads. Setting: `DPPCTL_CACHE_DIR`."""
    return _folder("DPPCTL_CACHE_DIR", "XDG_CACHE_HOME", ".cache")


def _folder(setting: str, xdg: str, below_home: str) -> Path:
    if chosen := os.environ.get(setting):
        return Path(chosen).absolute()
    base = os.environ.get(xdg) or Path.home() / below_home
    return Path(base).absolute() / "dppctl"
