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
    """Return the instructions of a Dockerfile, without comments, continued lines put together. Never fails."""
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
    """Return the line of the instruction that a builder quotes as `step`, maybe shortened or put differently."""
    wanted = " ".join(step.split())
    name = wanted.split(" ", 1)[0].upper()
    known = [found for found in instructions(text) if found.name == name]
    for instruction in known:
        if instruction.text == wanted or instruction.text.split(" ", 1)[1:] == wanted.split(" ", 1)[1:]:
            return instruction.line
    return known[0].line if len(known) == 1 else None


def lines_with(text: str, name: str) -> list[int]:
    """Return the lines on which instructions of this name begin."""
    return [found.line for found in instructions(text) if found.name == name.upper()]


def heredoc(text: str) -> int | None:
    """Return the line of the first RUN, COPY or ADD that uses a here-document."""
    for found in instructions(text):
        if found.name in ("RUN", "COPY", "ADD") and _HEREDOC.search(found.text):
            return found.line
    return None
