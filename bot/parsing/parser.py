"""Reads `.dppctl.yaml` and pipeline specs in child processes: one is kept, others are for texts that come meanwhile.

What somebody pushed may be made to take minutes and gigabytes. A child has limits for both, so that it is refused,
with the limit, and nothing else is concerned: not what another app has pushed, which is read beside it.
"""

import atexit
import json
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from bot.errors import DppctlError, TransientError
from bot.limits import PARSE_CPU_SECONDS, PARSE_SECONDS, PARSER_BYTES, PARSERS
from bot.logs import get_logger
from bot.model.app_config import AppConfig
from bot.model.pipeline_specs import Specs
from bot.model.values import Pipeline
from bot.parsing.process import ParserProcess

_log = get_logger("dppctl.bot")
_TRIES = 2  # as somebody may have killed it who did not mean this text
_OF_THE_TEXT = (-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS)


class Parser:
    """Has the children. Safe to use from several threads."""

    def __init__(
        self, memory: int = PARSER_BYTES, cpu_seconds: int = PARSE_CPU_SECONDS, seconds: float = PARSE_SECONDS
    ) -> None:
        """Take the limits: bytes, seconds of the processor, and seconds by the clock."""
        self._memory, self._cpu_seconds, self._seconds = memory, cpu_seconds, seconds
        self._kept: ParserProcess | None = None
        self._lock = threading.Lock()
        self._turns = threading.BoundedSemaphore(PARSERS)
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
        """End the child that is kept; the next request starts another."""
        with self._lock:
            kept, self._kept = self._kept, None
        if kept:
            kept.end()

    @contextmanager
    def _process(self) -> Iterator[ParserProcess]:
        """Have a child for a request, one that nobody else has meanwhile."""
        with self._turns:
            with self._lock:
                taken, self._kept = self._kept, None
            process = taken or ParserProcess(self._memory, self._cpu_seconds, self._seconds)
            try:
                yield process
            finally:
                with self._lock:
                    extra, self._kept = self._kept, process
                if extra:
                    extra.end()

    def _ask(self, what: str, files: Mapping[str, bytes | None]) -> Any:
        contents = list(dict.fromkeys(content for content in files.values() if content is not None))
        number = {content: place for place, content in enumerate(contents)}
        places = [None if content is None else number[content] for content in files.values()]
        listing = (what, list(files), [len(content) for content in contents], places)
        request = [json.dumps(listing).encode() + b"\n", *contents]
        end = time.monotonic() + self._seconds
        with self._process() as process:
            for _ in range(_TRIES):
                answer, where = process.ask(request)
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
