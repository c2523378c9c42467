"""The command line as a user has it."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cluster.local.folders import cache_dir
from tests.support.environment import REPOSITORY


@dataclass(frozen=True)
class Dppctl:
    """The command line with data folders of its own."""

    data: Path
    environment: Mapping[str, str]

    def __call__(
        self, *arguments: str, cwd: Path | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        process = self.start(*arguments, cwd=cwd, **environment)
        stdout, stderr = process.communicate(timeout=180)
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    def start(self, *arguments: str, cwd: Path | None = None, **environment: str) -> subprocess.Popen[str]:
        """Start it; the caller ends it."""
        return subprocess.Popen(
            [sys.executable, "-m", "cli.main", *arguments],
            cwd=cwd or self.data,
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def dppctl_in(data: Path) -> Dppctl:
    """Return a command line with this folder, which is made; pods end with the command (DPPCTL_KEEP=0)."""
    data.mkdir()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("DPPCTL_")}
    settings = {"DPPCTL_DATA_DIR": str(data), "DPPCTL_CACHE_DIR": str(cache_dir()), "DPPCTL_KEEP": "0"}
    return Dppctl(data, {**inherited, **settings, "PYTHONPATH": str(REPOSITORY)})
