"""Why uv could not install something, in one line: of its output that is what it tried, and what stopped it."""

import re
from collections.abc import Sequence

ENVIRONMENT = {
    "UV_NO_WRAP": "1"
}  # of uv: else it breaks a line that is wider than the terminal, in the middle of a URL
_TRIED = ("error:", "\u00d7", "Failed")
_CAUSES = ("cause: ", "\u251c\u2500\u25b6 ", "\u2570\u2500\u25b6 ")
_OUTPUT_OF_PROGRAM = ("--- stderr", "[stderr]")  # of git, or of a package's own build
# What an index or the network that is away says through uv, and a full disk.
_MAY_PASS = re.compile(
    r"error sending request|dns error|timed out|HTTP status server error|No space left on device"
    r"|Could not resolve host|Failed to connect|Couldn't connect",
    re.IGNORECASE,
)
_PROGRAMS_REASON = ("fatal:", "error:", "ERROR:", "remote:")


def reason(lines: Sequence[str], code: int) -> str:
    """Return what uv says in its last lines: the package or URL, and the innermost cause. code: how it ended."""
    said = [line.strip() for line in lines if line.strip()] or [f"exit code {code}"]
    start = next((number for number, line in enumerate(said) if line.startswith(_TRIED)), len(said) - 1)
    tried, rest = said[start].rstrip(":"), [line for line in said[start + 1 :] if not line.startswith("hint:")]
    detail = _of_program(rest) or next((line for line in reversed(rest) if line.startswith(_CAUSES)), "")
    for mark in _CAUSES:
        detail = detail.removeprefix(mark)
    return ": ".join(filter(None, [tried, detail or next(iter(rest), "")]))


def may_pass(lines: Sequence[str]) -> bool:
    """Return whether the same may work some time later, by what uv says in its last lines."""
    return bool(_MAY_PASS.search("\n".join(lines)))


def _of_program(lines: Sequence[str]) -> str | None:
    """Return what a program that uv ran says of its failure, when uv quotes one."""
    begin = next((number for number, line in enumerate(lines) if line in _OUTPUT_OF_PROGRAM), None)
    if begin is None:
        return None
    output = lines[begin + 1 :]
    return next((line for line in output if line.startswith(_PROGRAMS_REASON)), output[-1] if output else None)
