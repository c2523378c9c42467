"""One process that parses, from its start to its end: child.py is what runs in it."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from bot.limits import MAX_ANSWER_BYTES
from bot.program_environment import listed_environment


class ParserProcess:
    """Answers one request at a time; started when it is asked, and anew when it has ended."""

    def __init__(self, memory: int, cpu_seconds: int, seconds: float) -> None:
        """Take the limits of a request: bytes, seconds of the processor, and seconds by the clock."""
        self._memory, self._cpu_seconds, self._seconds = memory, cpu_seconds, seconds
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, request: list[bytes]) -> tuple[dict[str, Any], str]:
        """Return the answer to a request, or `code`: how the child ended without one; and at which file it was."""
        process = self._process or self._start()
        assert process.stdin  # noqa: S101 (for mypy)
        assert process.stdout  # noqa: S101 (for mypy)
        where, answer = "", dict[str, Any]()
        with self._watched(process):
            with suppress(OSError):  # it has ended
                for part in request:
                    process.stdin.write(part)
                process.stdin.flush()
            while line := process.stdout.readline(MAX_ANSWER_BYTES):
                try:
                    answer = json.loads(line)
                except ValueError:  # it ended in the middle, or says too much
                    break
                if answer.keys() != {"at"}:
                    break
                where, answer = answer["at"], {}
        if not answer:
            return {"code": self.end()}, where
        if answer["last"]:
            self.end()
        return answer, where

    @contextmanager
    def _watched(self, process: "subprocess.Popen[bytes]") -> Iterator[None]:
        """Kill the child when this context takes too long."""
        timer = threading.Timer(self._seconds, process.kill)
        timer.start()
        try:
            yield
        except BaseException:  # what it would answer now is for nobody
            process.kill()
            raise
        finally:
            timer.cancel()

    def _start(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-P", "-m", "bot.parsing.child", str(self._memory), str(self._cpu_seconds)]
        self._process = subprocess.Popen(
            command,
            cwd="/",
            env={**listed_environment(), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        return self._process

    def end(self) -> int:
        """End the child, and return its exit code."""
        process, self._process = self._process, None
        if process is None:
            return 0
        for stream in filter(None, (process.stdin, process.stdout)):
            with suppress(OSError):
                stream.close()
        with suppress(subprocess.TimeoutExpired):
            process.wait(1.0)
        process.kill()
        return process.wait()
