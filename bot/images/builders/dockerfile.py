"""What a message needs of a Dockerfile: its instructions and the lines they are on. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# As BuildKit finds here-documents, in a word of its own: https://docs.docker.com/reference/dockerfile/#here-documents
# What is in quotes, or behind a backslash, is none.
_HEREDOC = re.compile(
    r"""(?<!\S)\d*<<(?P<tabs>-?)(?P<quote>["']?)(?P<name>[A-Za-z_]\w*)(?P=quote)(?!\S)"""
    r"""|\\.|"(?:\\.|[^"\\])*"|'[^']*'"""
)

_FROM = re.compile(r"(?:--from=|--mount=\S*\bfrom=)([^\s,]+)")
_VARIABLE = re.compile(r"\$(?:\{(?P<name>\w+)(?::?(?P<operator>[-+])(?P<word>[^}]*))?\}|(?P<bare>\w+))")


@dataclass(frozen=True)
class Instruction:
    """`text`: on one line, as words with single spaces; `line`: where it begins, from 1; `is_heredoc`: it has one."""

    line: int
    text: str
    is_heredoc: bool = False

    @property
    def name(self) -> str:
        return self.text.split(" ", 1)[0].upper()


def instructions(text: str) -> list[Instruction]:
    """Return the instructions of a Dockerfile, without comments, continued lines put together. Never fails."""
    found: list[Instruction] = []
    begun, start, end = "", 0, 0
    escape = "`" if re.match(r"(?i)\s*#\s*escape\s*=\s*`", text) else "\\"
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        if number <= end:  # of a here-document
            continue
        bare = line.strip()
        if not bare or bare.startswith("#"):
            continue
        start = start or number
        if bare.endswith(escape):
            begun += bare[:-1] + " "
            continue
        whole = begun + bare
        end = _heredoc_end(whole, lines, number)
        found.append(Instruction(start, " ".join(whole.split()), is_heredoc=end > 0))
        begun, start = "", 0
    if begun.strip():
        found.append(Instruction(start, " ".join(begun.split())))
    return found


def base_images(text: str, arguments: Mapping[str, str]) -> list[str]:
    """Return the images that a Dockerfile takes something from, sorted: of FROM, COPY --from and RUN --mount.

    `arguments`: values for its ARGs. Left out: its own stages, `scratch`, and names with an ARG that has no value.
    """
    known, stages, found = dict(arguments), {"scratch"}, set[str]()
    in_stage = False
    for instruction in instructions(text):
        words = instruction.text.split(" ")[1:]
        if (
            instruction.name == "ARG" and not in_stage
        ):  # https://docs.docker.com/reference/dockerfile/#understand-how-arg-and-from-interact
            for name, given, value in (word.partition("=") for word in words):
                if given:
                    known.setdefault(name, _substituted(value.strip("\"'"), known) or "")
        elif instruction.name == "FROM":
            in_stage = True
            named = [word for word in words if not word.startswith("--")]
            found |= {_substituted(name, known) or "scratch" for name in named[:1]} - stages
            stages |= {name.lower() for name in named[2:3]}
        elif instruction.name in ("COPY", "ADD", "RUN"):
            found |= set(_FROM.findall(instruction.text))
    return sorted(name for name in found if name.lower() not in stages and not name.isdecimal() and "$" not in name)


def _substituted(text: str, values: Mapping[str, str]) -> str | None:
    """Return the text with ARGs' values in it; None when one of them has none."""
    missing = False

    def value(found: re.Match[str]) -> str:
        nonlocal missing
        name, operator, word = found["name"] or found["bare"], found["operator"], found["word"] or ""
        given = values.get(name, "")
        if operator == "+":
            return word if given else ""
        missing = missing or not (given or operator)
        return given or word

    result = _VARIABLE.sub(value, text)
    return None if missing else result


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
    return next((found.line for found in instructions(text) if found.is_heredoc), None)


def _heredoc_end(instruction: str, lines: Sequence[str], after: int) -> int:
    """Return the line on which an instruction's here-documents end; 0 when it has none.

    Without a line that ends it, `<<word` is something else: a shell's shift, for one.
    """
    if instruction.split(" ", 1)[0].upper() not in ("RUN", "COPY", "ADD"):
        return 0
    end = 0
    for word in _HEREDOC.finditer(instruction):
        for number in range(max(after, end), len(lines)) if word["name"] else ():
            line = lines[number].lstrip("\t") if word["tabs"] else lines[number]
            if line == word["name"]:
                end = number + 1
                break
    return end
