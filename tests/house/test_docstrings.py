"""A docstring of a function begins with a verb. ruff (D401) finds verbs in another form; this finds other words."""

import ast
import re
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from tests.support.environment import REPOSITORY

ROOMS = ("benchmarks", "bot", "charts", "cli", "cluster", "examples", "images", "webhooks", "worker")
NO_VERB = re.compile(
    r"(All|As|Each|Every|For|How|If|In|Its?|None|Nothing|Of|One|Same|Something|That|The|Those|Until|Were?|Was|What|When"
    r"|Where|Whether|Which|Whose|Who|Why|With|Without)\b"
)


def test_a_docstring_of_a_function_begins_with_a_verb() -> None:
    ignored = list(_ignored())
    found = [
        f"{name}:{line} {first}"
        for room in ROOMS
        for path in sorted((REPOSITORY / room).rglob("*.py"))
        if not any(fnmatch(name := str(path.relative_to(REPOSITORY)), pattern) for pattern in ignored)
        for line, first in _docstrings(path)
        if NO_VERB.match(first)
    ]
    assert found == []


def _docstrings(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the line of each function and the first line of its docstring."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (text := ast.get_docstring(node)):
            yield node.lineno, text.splitlines()[0]


def _ignored() -> Iterator[str]:
    """Yield the patterns of files for which pyproject.toml turns ruff's rules off, without braces."""
    ruff = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    for pattern, rules in ruff["per-file-ignores"].items():
        if "D4" in rules:
            head, _, rest = pattern.partition("{")
            names, _, tail = rest.partition("}")
            yield from [f"{head}{name}{tail}" for name in names.split(",")] if rest else [pattern]
