"""A process that loaded dpp's packages before it knew the run: whether it fits it, and a new start where it does not.

Some variables are read when an interpreter starts, others when a package is imported; and a module of the workload may
have the name of one that is loaded.
"""

import os
import sys
from contextlib import contextmanager
from typing import Any, Dict, Iterator, List, NoReturn, Set

from . import parent, plan
from .quick import imports

_READ_AT_START = ("PYTHON", "LD_", "LC_", "MALLOC_", "GLIBC_")
_READ_AT_START_WHOLE = ("LANG", "LANGUAGE", "TZ", "TMPDIR", "DPPCTL_QUICK")
_CUSTOM = {"usercustomize"}  # Python imports it at every start, if there is one
_read: Set[str] = set()


@contextmanager
def names_noted() -> Iterator[None]:
    """Note the names of the environment variables that are read meanwhile."""
    kind: Any = type(os.environ)
    read = kind.__getitem__

    def note_and_read(environment: Any, name: str) -> Any:
        _read.add(name)
        return read(environment, name)

    kind.__getitem__ = note_and_read
    try:
        yield
    finally:
        kind.__getitem__ = read


def is_fit(environment: Dict[str, str], folders: List[str]) -> bool:
    """Return whether a run may have this environment, with modules in these folders, in this process."""
    changed = {name for name in {*environment, *os.environ} if environment.get(name) != os.environ.get(name)}
    changed -= {"PYTHONPATH", "DPPCTL_OWNER", parent.MARK}
    if any(name in _read or name in _READ_AT_START_WHOLE or name.startswith(_READ_AT_START) for name in changed):
        return False
    loaded = {name for name in sys.modules if "." not in name} | _CUSTOM | imports.ALWAYS
    return not any(plan.modules_in(folder) & loaded for folder in folders)


def start_again(command: str, environment: Dict[str, str], descriptor: int, report_file: str) -> NoReturn:
    """Become a new process of `dpp` that serves on this descriptor, and looks at the workload at once."""
    ours = {"DPPCTL_SERVE_ON": str(descriptor), "DPPCTL_INSPECT_FILE": report_file}
    os.execve(command, [command], {**environment, parent.MARK: os.environ[parent.MARK], **ours})  # noqa: S606


def take_environment(environment: Dict[str, str]) -> None:
    """Have this environment, and no variable of the one before; what ends this process stays."""
    kept = {parent.MARK: os.environ[parent.MARK], "DPPCTL_OWNER": f"dpp:{os.getpid()}"}
    os.environ.clear()
    os.environ.update({**environment, **kept})
