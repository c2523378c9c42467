"""What a person needs of a failed processor's output, the most important line first.

dpp hands over up to 1,000 lines: what the processor logged from its first error on, and the traceback that ended it,
with the frames of every package on the way. The sentence that says what is wrong may stand at its beginning (the cause
of a chain), in its middle (a user's own line) or before it (dpp logs what a data package lacks, then raises something
general).
"""

import os
import re
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Sequence

from worker.limits import ERROR_LINE_CHARACTERS, ERROR_LINES, HEADLINE_CHARACTERS

_LEVEL = re.compile(r"^(CRITICAL|ERROR|WARNING|INFO|DEBUG)\s*:")
_TRACEBACK = "Traceback (most recent call last):"
_FRAME = re.compile(r'^  File "(?P<file>.+)", line (?P<line>\d+)')
_CHAINED = (
    "During handling of the above exception, another exception occurred:",
    "The above exception was the direct cause of the following exception:",
)
_MODULE = re.compile(r"^(\w+\.)+(?=\w+(:|$))")
# What dpp logs before it raises something general (datapackage_pipelines/wrapper of 2.2).
_DPP_SAYS = re.compile(
    r"Data Package validation error|Failed to ((cast|validate|encode) row|decode line)|Expected to see \d+ resource"
)
_INSTALLED = ("site-packages", "dist-packages")
_OURS = "dppctl_hooks"  # the folder of modules that stand in for dpp's (worker/hooks/runner): nobody's error is there


class _Raised(NamedTuple):
    """An exception of a traceback: its message, the user's innermost line on the way to it, who raised it."""

    message: List[str]
    place: Optional[str]
    by_user: bool


class _Line(NamedTuple):
    """A line of the output, and how soon it is left out: those of the highest rank go first."""

    text: str
    rank: int


def explain(processor: str, output: Sequence[str], workload: Path) -> str:
    """Return the error of a pipeline: a line with place and cause, the processor, and what matters of its output.

    output: what dpp hands over, without the processor's name; workload: the folder whose files are the user's own.
    """
    reader = _Reader(workload)
    for line in output:
        reader.read(line.replace("\0", ""))
    reader.end()
    lines = shortened(reader.lines)
    return "\n".join([_headline(processor, reader), f"{processor}:", *lines])


def shortened(lines: Sequence[_Line], limit: int = ERROR_LINES) -> List[str]:
    """Return at most so many of the lines, those of the lowest rank, and for each gap how much is left out."""
    kept: Dict[int, str] = {}
    for rank in sorted({line.rank for line in lines}):
        numbers = [number for number, line in enumerate(lines) if line.rank == rank]
        room = limit - len(kept)
        if len(numbers) > room:
            numbers = numbers[: room // 2] + numbers[len(numbers) - (room - room // 2) :]
        kept.update((number, lines[number].text[:ERROR_LINE_CHARACTERS]) for number in numbers)
    result: List[str] = []
    expected = 0
    for number in [*sorted(kept), len(lines)]:
        if number > expected:
            result.append(f"  ... ({number - expected} lines left out)")
        if number in kept:
            result.append(kept[number])
        expected = number + 1
    return result


def _headline(processor: str, reader: "_Reader") -> str:
    """Return the line that a person reads first."""
    by_user = [raised for raised in reader.chain if raised.by_user]
    places = [raised.place for raised in by_user or reader.chain if raised.place]
    if by_user:
        causes = [by_user[-1].message]
    else:
        causes = reader.said[:1] or [raised.message for raised in reader.chain] or reader.logged[-1:]
    texts = [" ".join(message)[: HEADLINE_CHARACTERS // max(1, len(causes))] for message in causes]
    return f"{places[-1] if places else processor}: " + ("; ".join(texts) or "it failed and told no error")


class _Reader:
    """Reads the output line by line; `end` comes last."""

    def __init__(self, workload: Path) -> None:
        self.lines: List[_Line] = []
        self.chain: List[_Raised] = []  # of the last traceback, the first cause first
        self.said: List[List[str]] = []  # what dpp logged before it raised
        self.logged: List[List[str]] = []  # errors that were logged
        self._folders = tuple(dict.fromkeys([f"{workload}{os.sep}", f"{workload.resolve()}{os.sep}"]))
        self._message: Optional[List[str]] = None  # that further lines belong to
        self._in_frames = False
        self._rank = 0
        self._ours = False
        self._place: Optional[str] = None
        self._by_user = False
        self._raising = False
        self._chained = False

    def read(self, line: str) -> None:
        """Read a line, whose level stands before it when it was logged."""
        if line == _TRACEBACK:
            self._start_traceback()
        elif line in _CHAINED:
            self.end()
            self._chained = True
            self._add(line, 1)
        elif self._in_frames:
            self._read_frames(line)
        elif _LEVEL.match(line) or self._message is None:
            self._read_logged(line)
        elif line.strip("^~ "):
            self._message.append(line.strip())
            self._add(line, 2)

    def end(self) -> None:
        """Take note that the message which is read has ended."""
        if self._raising and self._message:
            self.chain.append(_Raised(self._message, self._place, self._by_user))
        self._message, self._raising, self._in_frames = None, False, False

    def _start_traceback(self) -> None:
        self.end()
        if not self._chained:
            self.chain = []
        self._chained, self._in_frames = False, True
        self._place, self._by_user = None, False
        self._add(_TRACEBACK, 1)

    def _read_frames(self, line: str) -> None:
        frame = _FRAME.match(line)
        if frame:
            place = self._place_of(frame.group("file"), frame.group("line"))
            self._by_user = place is not None
            self._place = place or self._place
            self._rank = 1 if place else 3
            self._ours = _OURS in Path(frame.group("file")).parts
            if not self._ours:
                self._add(line, self._rank)
        elif line.startswith("  "):
            if line.strip("^~ ") and not self._ours:
                self._add(line, self._rank)
        else:  # the exception itself
            self._in_frames, self._raising = False, True
            self._message = [_MODULE.sub("", line)]
            self._add(line, 0)

    def _read_logged(self, line: str) -> None:
        self.end()
        text = _LEVEL.sub("", line)
        if not text.strip("^~ "):
            return  # of a traceback that was printed piece by piece
        self._message = [text]
        self._add(text, 2)
        if line.startswith(("ERROR", "CRITICAL")):
            self.logged.append(self._message)
        if _DPP_SAYS.match(text):
            self.said.append(self._message)
            self.lines[-1] = _Line(text, 0 if len(self.said) <= ERROR_LINES // 3 else 2)

    def _add(self, text: str, rank: int) -> None:
        self.lines.append(_Line(text, rank))

    def _place_of(self, file: str, line: str) -> Optional[str]:
        """Return `file:line` in the workload, None for a file of something installed."""
        folder = next((folder for folder in self._folders if file.startswith(folder)), None)
        if folder is None or any(part in _INSTALLED for part in Path(file).parts):
            return None
        inside = file[len(folder) :]
        return f"line {line} of the step's code" if ".code" in Path(inside).parts else f"{inside}:{line}"
