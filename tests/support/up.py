"""`dppctl up` in a process of its own, for those who need it up or killed and not its output."""

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

from cluster.local.folders import cache_dir
from tests.support.environment import REPOSITORY, processes_with
from tests.support.waiting import eventually


class Up:
    """Runs from its making until `kill`; its log is `log` in the configuration's folder."""

    def __init__(self, config: Path) -> None:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("DPPCTL_")}
        ours = {"DPPCTL_CACHE_DIR": str(cache_dir()), "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(REPOSITORY)}
        self._config = config
        self._address = ""
        self._known = threading.Event()
        with (config / "log").open("a") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "cli.main", "up", "--config", str(config)],
                cwd=config,
                env={**clean, **ours},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def address(self, seconds: float) -> str:
        """Raises TimeoutError when it is not up by then."""
        if not self._known.wait(seconds):
            raise TimeoutError
        return self._address

    def runs(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        """As a power cut does it, for the one process; what it started must end by itself."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        marks = str(self._config)
        eventually(lambda: not processes_with(marks), "what it started ends after it was killed")
        self._reader.join()
        if self._process.stdout:
            self._process.stdout.close()

    def _read(self) -> None:
        for line in self._process.stdout or ():
            if found := re.search(r"is up: (http://[\d.:]+)", line):
                self._address = found[1]
                self._known.set()
