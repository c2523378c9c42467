"""The warm process in dpp's Python (worker/hooks/runner/server.py) as the worker sees it: it forks pipelines.

It is started before there is a workload, and is good for one.
"""

import array
import contextlib
import json
import os
import socket
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any, Dict, Mapping, Optional

from worker.runner.processes import OwnedProcess, PipelineProcess, new_mark

MESSAGE_BYTES = 1 << 18
SECONDS_TO_FORK = 60.0  # on a machine that is very busy


def can_be_warm() -> bool:
    """Return whether this machine has what the warm process needs: it forks, and its parts end with it (Linux)."""
    return sys.platform.startswith("linux") and os.path.isdir("/proc/self/fd")


class WarmDpp:
    """Starts the warm process; `inspect` hands it a workload, and then `start` has it fork a pipeline."""

    def __init__(self, command: str, folder: Path, environment: Mapping[str, str]) -> None:
        """Start it, in a folder without modules. Raises OSError when it cannot start."""
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._connection = ours
        try:
            serving = {**environment, "DPPCTL_SERVE_ON": str(its.fileno())}
            self.process = OwnedProcess([command], folder, serving, [its.fileno()])
        except OSError:
            ours.close()
            raise
        finally:
            its.close()
        self.has_ended = False
        self.has_looked = threading.Event()  # at the workload, or has ended
        self._taken = threading.Event()  # the workload, or it has ended
        self._lock = threading.Lock()
        self._forked: Dict[str, ForkedProcess] = {}
        threading.Thread(target=self._listen, daemon=True).start()

    def inspect(self, command: str, folder: Path, environment: Mapping[str, str], report: Path) -> bool:
        """Have it look at a workload; `has_looked` says when the report is written.

        command: of dpp, for the run. Return False when it had ended before it heard of it.
        """
        request = {"command": command, "folder": str(folder), "environment": dict(environment), "report": str(report)}
        with tempfile.TemporaryFile() as file:
            file.write(json.dumps(request).encode())
            file.seek(0)
            with contextlib.suppress(OSError):  # it has ended
                self._send(b"{}", file.fileno())
        self._taken.wait()
        return not self.has_ended

    def start(self, pipeline: str, environment: Mapping[str, str], result: str, is_last: bool) -> "ForkedProcess":
        """Have it run a pipeline; is_last: no other follows, so when none runs it may become this one's process.

        Raises OSError when it does not.
        """
        process = ForkedProcess(new_mark())
        reading, writing = os.pipe()
        process.stderr = os.fdopen(reading, "rb")
        request = {
            "run": pipeline,
            "mark": process.mark,
            "environment": dict(environment),
            "result": result,
            "is_last": is_last,
        }
        with self._lock:
            self._forked[pipeline] = process
        try:
            self._send(json.dumps(request).encode(), writing)
        finally:
            os.close(writing)
        if not process.started.wait(SECONDS_TO_FORK) or not process.pid:
            raise OSError("the process that was to run it has ended")
        return process

    def close(self) -> None:
        """End it, with what still runs."""
        with contextlib.suppress(OSError):  # it has ended
            self._connection.shutdown(socket.SHUT_RDWR)
        self.process.stop()

    def _send(self, message: bytes, descriptor: int) -> None:
        descriptors = array.array("i", [descriptor])
        self._connection.sendmsg([message], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)])

    def _listen(self) -> None:
        while True:
            try:
                message = self._connection.recv(MESSAGE_BYTES)
            except OSError:
                message = b""
            if not message:
                break
            self._take(json.loads(message))
        self._connection.close()
        with self._lock:
            left = list(self._forked.values())
        # One that is the warm process itself has closed the connection and goes on; others end with it.
        codes = [self.process.wait() if process.pid == self.process.pid else -9 for process in left]
        self.has_ended = True
        self._taken.set()
        self.has_looked.set()
        for process, code in zip(left, codes):
            process.started.set()
            process.has_ended(code)

    def _take(self, message: Dict[str, Any]) -> None:
        if "taken" in message:
            self._taken.set()
        if "looked" in message:
            self.has_looked.set()
        with self._lock:
            if "pid" in message:
                process = self._forked[message["run"]]
                process.pid = message["pid"]
                process.started.set()
                return
            ended: Optional[ForkedProcess] = self._forked.pop(message.get("ended", ""), None)
        if ended:
            ended.has_ended(message["code"])


class ForkedProcess(PipelineProcess):
    """A pipeline's process that the warm one has forked."""

    def __init__(self, mark: str) -> None:
        super().__init__(mark)
        self.mark = mark
        self.started = threading.Event()
