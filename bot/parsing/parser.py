"""Reads `.dppctl.yaml` and pipeline specs in a child process, which is kept, and started anew when it has ended.

What somebody pushed may be made to take minutes and gigabytes. The child has limits for both, so that it is refused,
with the limit, and nothing else is concerned.
"""

import atexit
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from bot.errors import DppctlError, TransientError
from bot.limits import MAX_ANSWER_BYTES, PARSE_CPU_SECONDS, PARSE_SECONDS, PARSER_BYTES
from bot.logs import get_logger
from bot.model.app_config import AppConfig
from bot.model.pipeline_specs import Specs
from bot.model.values import Pipeline
from bot.program_environment import listed_environment

_log = get_logger("dppctl.bot")
_TRIES = 2  # as somebody may have killed it who did not mean this text
_OF_THE_TEXT = (-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS)


class Parser:
    """Has the child, for one request at a time. Safe to use from several threads."""

    def __init__(
        self, memory: int = PARSER_BYTES, cpu_seconds: int = PARSE_CPU_SECONDS, seconds: float = PARSE_SECONDS
    ) -> None:
        """Take the limits: bytes, seconds of the processor, and seconds by the clock."""
        self._memory, self._cpu_seconds, self._seconds = memory, cpu_seconds, seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        atexit.register(self.close)

    def read_config(self, content: bytes, where: str) -> AppConfig:
        """Return `.dppctl.yaml` as a model; `where` names it in messages.

        Raises DppctlError for what it is refused for, TransientError when the child was ended by others.
        """
        return AppConfig.model_validate_json(self._ask("config", {where: content}))

    def read_specs(self, files: Mapping[str, bytes | None]) -> Specs:
        """Return the pipelines of an app, as `parse_specs` does. Raises as `read_config` does."""
        if not files:
            return Specs(())
        found = self._ask("specs", files)
        pipelines = tuple(Pipeline(id=identity, schedule=schedule) for identity, schedule in found["pipelines"])
        return Specs(pipelines, found["generated_by"])

    def close(self) -> None:
        """End the child; the next request starts another."""
        with self._lock:
            self._end()

    def _ask(self, what: str, files: Mapping[str, bytes | None]) -> Any:
        contents = list(dict.fromkeys(content for content in files.values() if content is not None))
        number = {content: place for place, content in enumerate(contents)}
        places = [None if content is None else number[content] for content in files.values()]
        listing = (what, list(files), [len(content) for content in contents], places)
        request = [json.dumps(listing).encode() + b"\n", *contents]
        end = time.monotonic() + self._seconds
        with self._lock:
            for _ in range(_TRIES):
                answer, where = self._exchange(request)
                where = where or next(iter(files))
                if "value" in answer:
                    return answer["value"]
                if "refused" in answer:
                    raise DppctlError(answer["refused"])
                if reason := self._reason(answer):
                    raise DppctlError(f"{where}: {reason}")
                _log.warning("parser ended", file=where, **answer)
                if time.monotonic() > end:
                    raise TransientError(f"{where}: to read it takes more than {self._seconds:g} seconds")
        raise TransientError(f"{where}: the process that reads it was ended by somebody ({answer['code']})")

    def _reason(self, answer: Mapping[str, Any]) -> str | None:
        """Return what is wrong with the text, of an answer without a value; None: the text may be innocent."""
        if "memory" in answer:
            return f"to read it takes more than {answer['memory']} of memory, which is the limit; make it smaller"
        if "broke" in answer:
            _log.error("parser broke", **answer)
            return f"dppctl cannot read it: {answer['broke']}"
        if answer["code"] == -signal.SIGXCPU:
            limit = f"{self._cpu_seconds} seconds of the processor"
            return f"to read it takes more than {limit}, which is the limit; make it smaller"
        return "it cannot be read; the program that tried broke" if answer["code"] in _OF_THE_TEXT else None

    def _exchange(self, request: list[bytes]) -> tuple[dict[str, Any], str]:
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
            return {"code": self._end()}, where
        if answer["last"]:
            self._end()
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

    def _end(self) -> int:
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
