"""What the pages tell a reader to type.

A command stands in an indented or fenced block, or inline between backticks. Its text is what is between the prompt and
the comment, with continued lines joined.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.docs.bindings import NO_COMMANDS

ROOT = Path(__file__).parents[3]
PATTERNS = (
    "README.md",
    "CONTRIBUTING.md",
    "docs/*.md",
    "charts/*/README.md",
    "ops_repo_template/**/*.md",
    "examples/*/README.md",
)
# It is written by `make bench`: the commands in it are those that were measured.
GENERATED = "docs/benchmarks.md"
PAGES = sorted(
    name
    for pattern in PATTERNS
    for name in (str(page.relative_to(ROOT)) for page in ROOT.glob(pattern))
    if name != GENERATED
)

_PROGRAMS = (
    "apt", "apt-get", "buildah", "cd", "curl", "docker", "dpp", "dppctl", "git", "helm", "kubectl", "make", "minikube",
    "pg_dump", "pg_restore", "pip", "pipx", "podman", "psql", "python", "python3", "SELECT", "skopeo", "sqlite3",
    "sudo", "uv",
)  # fmt: skip
_COMMAND = re.compile(
    rf"(?:[A-Z_]+=\S*\s+)*(?:(?P<path>\.[a-z]+/\S+)|{'|'.join(_PROGRAMS)})(?P<rest>\s.*)?$", re.DOTALL
)
_PROMPT = "$ "


@dataclass(frozen=True)
class Block:
    """Lines that stand apart, without their indentation."""

    page: str
    line: int  # of the first one, counted from 1
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        return "".join(f"{line}\n" for line in self.lines)

    @property
    def is_commands(self) -> bool:
        return _is_command(self.lines[0].removeprefix(_PROMPT), inline=False)


@dataclass(frozen=True)
class Command:
    """Something to type."""

    page: str
    line: int
    text: str
    inline: bool

    def __str__(self) -> str:
        return f"{self.page}:{self.line}: `{self.text}`"


def text_of(page: str) -> str:
    """page: its path in the repository."""
    return (ROOT / page).read_text()


def blocks(page: str, text: str | None = None) -> list[Block]:
    """The indented and fenced ones of a page (text: another one in its place). Those of YAML and JSON are left out."""
    found: list[Block] = []
    lines: list[str] = []
    fence: str | None = None
    for number, line in enumerate([*(text_of(page) if text is None else text).splitlines(), ""], 1):
        if line.lstrip().startswith("```"):
            fence = line.strip().strip("`") if fence is None else None
            inside = False
        else:
            inside = fence is not None or line.startswith("    ")
        if inside and line.strip():
            if fence not in ("yaml", "json"):
                lines.append(line)
        elif lines:
            indent = min(len(one) - len(one.lstrip()) for one in lines)
            found.append(Block(page, number - len(lines), tuple(one[indent:] for one in lines)))
            lines = []
    return found


def commands(page: str, text: str | None = None) -> list[Command]:
    """All of a page, in the order of its lines."""
    text = text_of(page) if text is None else text
    found = [one for block in blocks(page, text) if block.is_commands for one in _of_block(block)]
    return sorted([*found, *_inline(page, text)], key=lambda one: one.line)


def said_after(page: str, command: str) -> list[str]:
    """What a page shows below a command that has a prompt: the lines up to the next one."""
    for block in blocks(page):
        for number, line in enumerate(block.lines):
            if line.startswith(_PROMPT) and _bare(line) == command:
                after = block.lines[number + 1 :]
                end = next((n for n, one in enumerate(after) if one.startswith(_PROMPT)), len(after))
                return list(after[:end])
    raise LookupError(f"{page} shows nothing that {command!r} says")


def block_from(page: str, first_line: str) -> str:
    """The text of the block that begins with this line."""
    return next(block.text for block in blocks(page) if block.lines[0].startswith(first_line))


def _of_block(block: Block) -> Iterator[Command]:
    """With prompts these lines only: the others are what is said."""
    prompts = any(line.startswith(_PROMPT) for line in block.lines)
    begun, at = "", block.line
    for number, line in enumerate(block.lines, block.line):
        if prompts and not begun and not line.startswith(_PROMPT):
            continue
        begun, at = (f"{begun} {line.strip()}", at) if begun else (line, number)
        if begun.endswith("\\"):
            begun = begun.removesuffix("\\").rstrip()
            continue
        yield Command(block.page, at, _bare(begun), inline=False)
        begun = ""


def _inline(page: str, text: str) -> Iterator[Command]:
    prose = re.sub(r"^\s*```.*?^\s*```", _blanked, text, flags=re.DOTALL | re.MULTILINE)
    prose = re.sub(r"^ {4,}\S.*$", "", prose, flags=re.MULTILINE)
    for paragraph in re.finditer(r"(?:.+\n?)+", prose):
        for found in re.finditer(r"`([^`]+)`", paragraph[0]):
            if _is_command(found[1], inline=True):
                line = prose.count("\n", 0, paragraph.start() + found.start()) + 1
                yield Command(page, line, " ".join(found[1].split()), inline=True)


def _blanked(found: re.Match[str]) -> str:
    return "\n" * found[0].count("\n")


def _bare(line: str) -> str:
    """Without prompt and comment."""
    return re.split(r"\s+#\s", line.removeprefix(_PROMPT))[0].strip()


def _is_command(text: str, *, inline: bool) -> bool:
    """A program's name alone is its name, in prose."""
    if text.startswith(NO_COMMANDS):
        return False
    found = _COMMAND.match(text)
    return bool(found and (not inline or found["path"] or found["rest"]))
