"""The worker as it ships: the zipapp, run by the oldest Python that this machine has for it."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.local.workers.dpp_environment import DppEnvironment

OLDEST = (3, 8)


def oldest_python() -> str:
    """A Python from 3.8 on, the oldest on PATH or among pyenv's; at least the one that runs the tests."""
    candidates = {sys.version_info[:2]: sys.executable}
    folders = [Path(folder) for folder in os.get_exec_path()] + sorted(Path.home().glob(".pyenv/versions/*/bin"))
    for folder in folders:
        for python in folder.glob("python3.*"):
            match = re.fullmatch(r"python3\.(\d+)", python.name)
            if match and "shims" not in python.parts and (version := (3, int(match.group(1)))) >= OLDEST:
                candidates.setdefault(version, str(python))
    return candidates[min(candidates)]


@dataclass(frozen=True)
class Worker:
    """Starts `worker.pyz`."""

    zipapp: Path
    runtime: DppEnvironment
    scratch: Path

    def start(self, *arguments: str, cwd: Path, **environment: str) -> "subprocess.Popen[str]":
        """Start it; the caller ends it."""
        path = f"{self.runtime.bin}{os.pathsep}{os.environ['PATH']}"
        return subprocess.Popen(
            [oldest_python(), str(self.zipapp), *arguments],
            cwd=cwd,
            env={**os.environ, "PATH": path, "TMPDIR": str(self.scratch), **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, workload: Path, asked: Sequence[str] = (), **environment: str) -> "Outcome":
        """Run pipelines to their end."""
        process = self.start("run", "--events", "--verbose", "--concurrency=4", *asked, cwd=workload, **environment)
        stdout, stderr = process.communicate(timeout=300)  # several pipelines, beside other tests
        assert not list(self.scratch.iterdir()), "a run leaves nothing in the temporary folder"
        return Outcome(process.returncode, [json.loads(line) for line in stdout.splitlines()], stderr)


@dataclass(frozen=True)
class Outcome:
    """What a run told."""

    code: int
    events: list[dict[str, Any]]
    stderr: str

    @property
    def results(self) -> dict[str, dict[str, Any]]:
        """The receipt's entry for each pipeline."""
        return {result["id"]: result for result in self.events[-1]["receipt"]["pipelines"]}

    @property
    def errors(self) -> list[str]:
        """What was wrong with the input."""
        [invalid] = [event for event in self.events if event["event"] == "invalid"]
        return [f"{error['where']}: {error['message']}" for error in invalid["errors"]]
