"""What every benchmark needs: the runtime that `dppctl run` uses, both commands, a clean environment."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from benchmarks.measured import Measured, measure
from cluster.local.folders import cache_dir
from cluster.local.workers.dpp_environment import DppEnvironment, ensure_dpp_environment

# Some machines have these set for all of Python. They would slow down dpp itself (a write for each row, no
# bytecode), and so make dppctl look better beside it.
SLOWING = ("PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE")


@dataclass(frozen=True)
class Bench:
    """Paths and settings of a run.

    `quick`: small data and few runs, to see that the script works; its numbers mean nothing. `against`: another
    checkout, for measures that are paired with one.
    """

    folder: Path
    runtime: DppEnvironment
    quick: bool
    against: Path | None = None

    def new_folder(self) -> Path:
        return Path(tempfile.mkdtemp(dir=self.folder))

    def dpp(self, workload: Path, engine: str, *arguments: str, watch: str = "") -> Measured:
        """Run plain dpp in the same environment, with a fresh state as dppctl gives it."""
        environment = {"DPP_DB_ENGINE": engine, "DPP_DB_DIRNAME": str(self.new_folder())}
        command = [str(self.runtime.bin / "dpp"), "run", *arguments]
        return measure(command, workload, self._environment(environment), self._log(), watch)

    def dppctl(self, workload: Path, *arguments: str, watch: str = "") -> Measured:
        command = [str(Path(sys.executable).with_name("dppctl")), "run", *arguments]
        settings = {"DPPCTL_DATA_DIR": str(self.new_folder()), "DPPCTL_CACHE_DIR": str(cache_dir())}
        return measure(command, workload, self._environment(settings), self._log(), watch)

    def program(self, folder: Path, *command: str) -> Measured:
        """Run another program, in the same environment, to compare with."""
        return measure(command, folder, self._environment({}), self._log())

    def _environment(self, more: dict[str, str]) -> dict[str, str]:
        """Return the environment without dppctl's settings, the runtime first on PATH, for `dpp run` starts `dpp`."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if name not in SLOWING and not name.startswith(("DPP_", "DPPCTL_"))
        }
        path = os.pathsep.join([str(self.runtime.bin), os.environ.get("PATH", os.defpath)])
        return {**kept, "PATH": path, "NO_PROXY": "127.0.0.1", **more}

    def _log(self) -> Path:
        return self.new_folder() / "log"


@contextmanager
def open_bench(quick: bool, against: Path | None = None) -> Iterator[Bench]:
    """Make a bench in a temporary folder, which is removed afterwards."""
    runtime = ensure_dpp_environment(cache_dir(), None, print)
    with tempfile.TemporaryDirectory(prefix="dppctl-bench-") as folder:
        yield Bench(Path(folder), runtime, quick, against)


def numbered(times: int, what: str) -> Iterator[int]:
    """Yield 1 to `times`, and print each."""
    for number in count(1):
        if number > times:
            return
        print(f"  {what} {number} of {times}", flush=True)
        yield number
