"""Structured logs: one event a line on stderr in logfmt, with secrets masked at this one place.

Our own modules take their logger from `get_logger`; what libraries send to `logging` goes through the same steps. What
belongs on every line of a piece of work (delivery, app, environment) is bound with
`structlog.contextvars.bound_contextvars`: https://www.structlog.org/en/stable/contextvars.html
"""

import logging
import re
import sys
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress

import structlog
from structlog.stdlib import ProcessorFormatter, add_logger_name
from structlog.typing import EventDict, FilteringBoundLogger, Processor

from bot.output import escape_bidirectional

# GitHub's own, also those that an app gets for an hour:
# https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/about-authentication-to-github
_TOKEN = re.compile(r"\bgh[a-z]_\w{16,}|\bgithub_pat_\w{16,}")
_FIRST_KEYS = ("timestamp", "level", "logger", "event", "delivery", "app", "environment")


def get_logger(name: str) -> FilteringBoundLogger:
    """Return a logger whose lines have `logger=name`: `_log.info("deploying", app=app, commit=commit)`."""
    logger: FilteringBoundLogger = structlog.get_logger(name)
    return logger


def configure(secrets: Sequence[str]) -> None:
    """Write our events, and the warnings of libraries, to stderr without the secrets."""
    steps = _steps(secrets)
    _use(steps, logging.INFO)
    handler = _LibrariesHandler()
    handler.setFormatter(
        ProcessorFormatter(processors=[add_logger_name, ProcessorFormatter.remove_processors_meta, *steps])
    )
    root = logging.getLogger()
    root.handlers = [other for other in root.handlers if not isinstance(other, _LibrariesHandler)]
    root.addHandler(handler)


def bind_push(deliveries: Sequence[str], **fields: object) -> AbstractContextManager[None]:
    """Have every line of a `with` block name these webhook deliveries, and the fields: `app`, `environment`."""
    delivery = {"delivery": ",".join(deliveries)} if deliveries else {}
    return structlog.contextvars.bound_contextvars(**delivery, **fields)


def mask(text: str, secrets: Sequence[str]) -> str:
    """Return the text without the secrets, and without what looks like a token of GitHub's."""
    for secret in secrets:
        text = text.replace(secret, "***")
    return _TOKEN.sub("***", text)


def _steps(secrets: Sequence[str]) -> list[Processor]:
    """Return what makes a line out of an event, in their order."""

    def mask_values(_logger: object, _method: str, event: EventDict) -> EventDict:
        return {
            name: value if _is_plain(value) else _printable(mask(str(value), secrets)) for name, value in event.items()
        }

    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        mask_values,
        structlog.processors.LogfmtRenderer(key_order=_FIRST_KEYS, drop_missing=True, bool_as_flag=False),
    ]


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, bool | int | float)


def _printable(text: str) -> str:
    """Replace what a terminal would take for a command; the renderer escapes the ends of lines."""
    if text.isprintable():
        return text
    shown = escape_bidirectional(text)
    return "".join(character if character.isprintable() or character == "\n" else " " for character in shown)


class _Stderr:
    """Writes lines. A reader that is gone or a full disk stops nobody's work."""

    _lock = threading.Lock()

    def __init__(self, name: str) -> None:
        self.name = name

    def msg(self, line: str) -> None:
        with suppress(OSError, ValueError), self._lock:
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()

    debug = info = warning = error = critical = msg


class _LibrariesHandler(logging.Handler):
    """Writes the records of libraries. Known by its type, so that it can be replaced."""

    def emit(self, record: logging.LogRecord) -> None:
        _Stderr(record.name).msg(self.format(record))


def _use(steps: list[Processor], level: int) -> None:
    structlog.configure(
        processors=[add_logger_name, *steps],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_Stderr,
    )


_use(_steps(()), logging.WARNING)  # of a command that does not call `configure`, as `logging` itself has it
