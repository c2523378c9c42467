"""A program's output on its way to people: lines as they come, without secrets and what no terminal shows."""

import re
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from bot.limits import MAX_PROGRAM_LINE, MAX_PROGRAM_LINES

# A carriage return at the end may be the first half of a line end.
_LINE_END = re.compile(rb"\r\n|\n|\r(?=.)", re.DOTALL)
# Colours and cursor movements, and what else no terminal shows: https://en.wikipedia.org/wiki/ANSI_escape_code
_UNSEEN = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")
# Bidi_Control of https://www.unicode.org/reports/tr9/: they order the letters around them anew, so that a text reads as
# what it is not (https://trojansource.codes).
_BIDIRECTIONAL = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def escape_bidirectional(text: str) -> str:
    """Return a text with its bidirectional control characters as `\\u202e`, so that they are seen and do nothing."""
    return _BIDIRECTIONAL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def for_terminal(text: str) -> str:
    """Return lines of somebody's text without what a terminal would take for a command."""
    return escape_bidirectional(_UNSEEN.sub("", text))


def one_line(text: str, limit: int) -> str:
    """Return somebody's text as one printable line of at most `limit` characters, such as for a trailer."""
    line = escape_bidirectional(" ".join("".join(char if char.isprintable() else " " for char in text).split()))
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


class Lines:
    """Collects chunks of output. A line is passed on when it is complete, so that no secret is ever split."""

    def __init__(self, on_line: Callable[[str], None], secrets: Sequence[str]) -> None:
        """`last` keeps the last lines; a secret of several lines is masked line by line."""
        self.last: deque[str] = deque(maxlen=MAX_PROGRAM_LINES)
        self._on_line = on_line
        parts = {part for secret in secrets for part in secret.splitlines() if part.strip()}
        self._secrets = sorted(parts, key=len, reverse=True)
        self._longest = max((len(part.encode()) for part in parts), default=0)
        self._room = 4 * MAX_PROGRAM_LINE + self._longest  # bytes of a line that are kept until it ends
        self._begun = b""

    def add(self, chunk: bytes) -> None:
        """Take a chunk, and pass on the lines that are complete now."""
        # Progress bars go back to the start of their line; the rest of a line that is too long is dropped.
        *whole, begun = _LINE_END.split(self._begun + chunk)
        for line in whole:
            self._pass_on(line)
        self._begun = begun[: self._room]

    def close(self) -> None:
        """Pass on what has no line end."""
        if rest := self._begun.removesuffix(b"\r"):
            self._pass_on(rest)

    def _pass_on(self, line: bytes) -> None:
        text = printable(line[: self._room], self._secrets, self._longest if len(line) >= self._room else 0)
        self.last.append(text)
        self._on_line(text)


def printable(line: bytes, secrets: Iterable[str] = (), cut: int = 0) -> str:
    """Return a line of output as text for people: no escape sequences, secrets as `***`, of a length to read.

    `cut`: characters at the end that may be a part of a secret, and are dropped.
    """
    text = for_terminal(line.decode(errors="replace"))
    for secret in secrets:
        text = text.replace(secret, "***")
    text = text[:-cut] if cut else text
    return text if len(text) <= MAX_PROGRAM_LINE else text[: MAX_PROGRAM_LINE - 1] + "…"
