"""The worker as a process of this machine: what `dppctl run` and the local sync start pipelines with."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cluster.local.runtime import Runtime

Event = dict[str, Any]


class WorkerProcess:
    """A worker that runs one workload. It ends, with all that it started, when this process does."""

    def __init__(
        self,
        zipapp: Path,
        runtime: Runtime,
        workload: Path,
        pipelines: Sequence[str],
        *,
        environment: Mapping[str, str],
        receipt: Path,
        concurrency: int = 1,
        verbose: bool = False,
    ) -> None:
        """Start it.

        zipapp: what `worker.build` made; pipelines: ids, none of them means all; environment: added to that of
        this process; receipt: the file that the worker writes at the end; verbose: dpp's log comes as events too.
        """
        options = ["--events", "--owner-pipe", "--receipt", str(receipt), "--concurrency", str(concurrency)]
        command = [str(runtime.bin / "python"), str(zipapp), "run", *options, "--workload", str(workload)]
        self._process = subprocess.Popen(
            [*command, *(["--verbose"] if verbose else []), "--", *pipelines],
            env=worker_environment(runtime, environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # a Ctrl-C at the terminal is for dppctl, which then tells the worker
        )

    @property
    def pid(self) -> int:
        """Its process number."""
        return self._process.pid

    def events(self) -> Iterator[Event]:
        """What it tells, until it ends (worker/events.py lists the kinds)."""
        for line in self._process.stdout or ():
            yield json.loads(line)

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Have it end all that it started, within two seconds; `wait` says when it has, and gives 128 + number."""
        if self._process.poll() is None:
            self._process.send_signal(number)

    def wait(self) -> int:
        """Its exit code: 0 all succeeded, 1 a pipeline failed, 2 bad input, 128 + N stopped by signal N."""
        code = self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream:
                stream.close()
        return code if code >= 0 else 128 - code  # by a signal that came before it could take it

    def complaint(self) -> str:
        """What it wrote to stderr, once it has ended: nothing, or why it could not do its work."""
        with self._process.stderr or open(os.devnull, "rb") as stream:
            return stream.read().decode("utf8", "replace").strip()


def worker_environment(runtime: Runtime, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment for a worker, or for a shell like its: this process's, with the runtime first on PATH."""
    path = os.pathsep.join([str(runtime.bin), os.environ.get("PATH", os.defpath)])
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("DPPCTL_")}
    return {**inherited, **environment, "PATH": path, "VIRTUAL_ENV": str(runtime.folder)}
