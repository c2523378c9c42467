"""What is ready before there is a workload: our modules for dpp's processes, and a warm process with its packages.

A run is handed one of these and uses it up: nothing of it is there for the next.
"""

import os
import shutil
import threading
from pathlib import Path
from typing import Dict, Mapping, Optional

import worker
from worker.runner.hooks import PACKAGE, write_hooks
from worker.runner.warm import WarmDpp, can_be_warm
from worker.scratch import Scratch

AUTO, DPP = ("auto", "dpp")  # who runs pipelines: each is decided on, or all by dpp itself


class ReadyDpp:
    """A folder of its own with our modules, and a warm process where there can be one, until `close`."""

    def __init__(self, environment: Mapping[str, str], *, is_warm: bool) -> None:
        """environment: the worker's own, a run's may add to it; is_warm: whether to start the warm process.

        Raises OSError when there is no room for its files.
        """
        self._scratch = Scratch()
        self.folder = self._scratch.folder
        laid_out = Path(worker.__path__[0]).with_name("hooks")  # in a folder where they lie compiled
        is_laid_out = (laid_out / PACKAGE).is_dir()
        self.hooks = laid_out if is_laid_out else self.folder / "hooks"
        self._environment = dpp_environment(environment, self.hooks)
        self._warm: Optional[WarmDpp] = None
        self._lock = threading.Lock()
        self._is_closed = False
        try:
            if not is_laid_out:
                write_hooks(self.hooks)
            if is_warm:
                self.warm()
        except BaseException:
            self.close()
            raise

    def warm(self) -> Optional[WarmDpp]:
        """Return a warm process that lives: that which waits, or a new one when it has ended.

        None: this machine can have none, or has no dpp on PATH, or all is closed. Raises OSError.
        """
        with self._lock:
            if self._warm is None or self._warm.has_ended:
                command = shutil.which("dpp", path=self._environment.get("PATH", os.defpath))
                if self._is_closed or command is None or not can_be_warm():
                    return None
                self._warm = WarmDpp(command, self.folder, self._environment)
            return self._warm

    def close(self) -> None:
        """End the warm process, with what still runs, and remove the folder."""
        with self._lock:
            self._is_closed = True
            warm = self._warm
        if warm:
            warm.close()
        self._scratch.close()


def dpp_environment(given: Mapping[str, str], hooks: Path, *folders: Path) -> Dict[str, str]:
    """Return the variables of a process of dpp's: what is given, with the hooks first on its PYTHONPATH.

    folders: of the workload. Inline `code:` runs from a folder of dpp's, so modules beside the spec are found only
    where the hooks (sitecustomize.py) put them: behind the installed ones, as dpp does with a flow's.
    """
    result = {**given, "PYTHONPATH": os.pathsep.join(filter(None, [str(hooks), given.get("PYTHONPATH")]))}
    result["DPPCTL_WORKLOAD_PATH"] = os.pathsep.join(dict.fromkeys(map(str, folders)))
    result.pop("PYTHONUNBUFFERED", None)  # with it every row would be a write of its own
    result["DPPCTL_OWNER"] = f"worker:{os.getpid()}"
    return result
