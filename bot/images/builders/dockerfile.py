"""What a message needs of a Dockerfile: its instructions and the lines they are on. Pure."""

import re
from dataclasses import dataclass

# As BuildKit finds here-documents, in a word of its own: https://docs.docker.com/reference/dockerfile/#here-documents
_HEREDOC = re.compile(r"""(?<!\S)\d*<<-?["']?[A-Za-z_]\w*["']?(?!\S)""")


@dataclass(frozen=True)
class Instruction:
    """`text`: on one line, as words with single spaces; `line`: where it begins, from 1."""

    line: int
    text: str

    @property
    def name(self) -> str:
        return self.text.split(" ", 1)[0].upper()


def instructions(text: str) -> list[Instruction]:
    """The instructions of a Dockerfile; comments left out, continued lines put together. Never fails."""
    found: list[Instruction] = []
    begun, start = "", 0
    escape = "`" if re.match(r"(?i)\s*#\s*escape\s*=\s*`", text) else "\\"
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.strip()
        if not bare or bare.startswith("#"):
            continue
        start = start or number
        if bare.endswith(escape):
            begun += bare[:-1] + " "
            continue
        found.append(Instruction(start, " ".join((begun + bare).split())))
        begun, start = "", 0
    if begun.strip():
        found.append(Instruction(start, " ".join(begun.split())))
    return found


def line_of(text: str, step: str) -> int | None:
    """The line of the instruction that a builder quotes as `step`, which it may have shortened or put differently."""
    wanted = " ".join(step.split())
    name = wanted.split(" ", 1)[0].upper()
    known = [one for one in instructions(text) if one.name == name]
    for one in known:
        if one.text == wanted or one.text.split(" ", 1)[1:] == wanted.split(" ", 1)[1:]:
            return one.line
    return known[0].line if len(known) == 1 else None


def lines_with(text: str, name: str) -> list[int]:
    """The lines on which instructions of this name begin."""
    return [one.line for one in instructions(text) if one.name == name.upper()]


def heredoc(text: str) -> int | None:
    """The line of the first RUN, COPY or ADD that uses a here-document."""
    wanted = (one for one in instructions(text) if one.name in ("RUN", "COPY", "ADD") and _HEREDOC.search(one.text))
    return next((one.line for one in wanted), None)
