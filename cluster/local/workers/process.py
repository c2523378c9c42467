"""The worker as a process of this machine: what `dppctl run` and the local sync start pipelines with."""

import json
import os
import secrets
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from cluster.errors import ClusterError
from cluster.limits import MAX_EVENT_BYTES

Event = dict[str, Any]


class WorkerHost(Protocol):
    """Where a worker runs: dpp's environment on this machine (a DppEnvironment), or a Container."""

    def command(self, zipapp: Path) -> list[str]:
        """Return the command that starts a worker, to be followed by the worker's own arguments."""

    def environment(self) -> dict[str, str]:
        """Return the environment of that command."""

    def variables(self, given: Mapping[str, str]) -> dict[str, str]:
        """Return what pipelines have beside that environment: what is given, as far as the host allows."""

    def path(self, file: Path) -> Path:
        """Return where the worker finds a file of this machine."""

    def complaint(self, code: int, stderr: str) -> str:
        """Return what to say about a worker that ended so: nothing, or why it could not do its work."""

    def clear(self) -> None:
        """Remove what is left of a worker whose command was ended from outside."""


class WorkerProcess:
    """A worker: it loads what pipelines need, and waits for the order to run those of one workload.

    It ends, with all that it started, when this process does.
    """

    def __init__(self, zipapp: Path, host: WorkerHost, runner: str = "") -> None:
        """Start it.

        zipapp: what `worker.zipapp_builder` made; runner: auto or dpp, "" is what the order's environment says.
        """
        self._host = host
        self._asked: int | None = None
        options = ["--events", "--owner-pipe", *(["--runner", runner] if runner else [])]
        self._process = subprocess.Popen(
            [*host.command(zipapp), "run", *options],
            env=host.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # a Ctrl-C at the terminal is for dppctl, which then tells the worker
        )
        self._nonce = secrets.token_hex(16)

    def begin(
        self,
        workload: Path,
        pipelines: Sequence[str],
        *,
        environment: Mapping[str, str],
        origin: Mapping[str, Any],
        concurrency: int = 1,
        verbose: bool = False,
        unique: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """Have it run pipelines (ids; none of them means all), once.

        environment: for the pipelines; origin: the receipt's source and image; verbose: dpp's log comes as events too;
        unique: what `bot.model.expectations.unique_columns` returns.
        """
        order = {
            "nonce": self._nonce,
            "workload": str(self._host.path(workload)),
            "pipelines": list(pipelines),
            "environment": self._host.variables(environment),
            "origin": dict(origin),
            "concurrency": concurrency,
            "verbose": verbose,
            "unique": list(unique),
        }
        with suppress(OSError):  # it has ended: `wait` says how
            if stdin := self._process.stdin:
                stdin.write(json.dumps(order).encode() + b"\n")
                stdin.flush()

    @property
    def is_alive(self) -> bool:
        """Return whether it has not ended."""
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        """Return its process number."""
        return self._process.pid

    def events(self) -> Iterator[Event]:
        """Yield its events until it ends (worker/events.py lists the kinds).

        An end with a receipt, and what is to be published, count only when no pipeline wrote them in its place. Raises
        ClusterError for too long a line.
        """
        while self._process.stdout and (line := self._process.stdout.readline(MAX_EVENT_BYTES + 1)):
            if len(line) > MAX_EVENT_BYTES:
                raise ClusterError(f"the worker wrote an event of more than {MAX_EVENT_BYTES:,} bytes")
            event: Event = json.loads(line)
            is_own = secrets.compare_digest(str(event.pop("nonce", "")), self._nonce)
            if is_own or event["event"] not in ("ended", "written"):
                yield event

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Have it end all that it started, within two seconds; `wait` says when it has, and gives 128 + number."""
        if self._process.poll() is None:
            self._asked = number
            self._process.send_signal(number)
            # A container's first process does not get a signal before it can take it; this end it sees in any case.
            if self._process.stdin:
                with suppress(OSError):
                    self._process.stdin.close()

    def wait(self) -> int:
        """Wait for its end and return its exit code.

        0: all succeeded, 1: a pipeline failed, 2: bad input, 128 + N: stopped by signal N.
        """
        code = self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream:
                stream.close()
        if self._asked or code < 0:
            self._host.clear()
        if self._asked:
            return 128 + self._asked
        return code if code >= 0 else 128 - code

    def end(self) -> None:
        """End it, whatever it does; nothing more is read of it. Does nothing when it has been waited for."""
        if self.is_alive:
            self.stop()
        self.wait()
        if self._process.stderr:
            self._process.stderr.close()

    def complaint(self) -> str:
        """Return, once it has ended, nothing or why it could not do its work."""
        with self._process.stderr or open(os.devnull, "rb") as stream:
            stderr = stream.read().decode("utf8", "replace").strip()
        return self._host.complaint(self._process.wait(), stderr)
