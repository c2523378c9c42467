"""What several tests use lives in tests/support: no module imports from a test module or a conftest."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.support.environment import REPOSITORY


def test_nothing_imports_from_a_test_module_or_a_conftest() -> None:
    found = [
        f"{path.relative_to(REPOSITORY)} imports {name}"
        for folder in ("tests", "examples", "benchmarks")
        for path in sorted((REPOSITORY / folder).rglob("*.py"))
        for name in _imports(path)
        if any(part == "conftest" or part.startswith("test_") for part in name.split("."))
    ]
    assert found == []


def test_what_is_asynchronous_runs_in_a_thread_of_its_own() -> None:
    """A browser that another test of the process has started keeps a loop, beside which `asyncio.run` is refused."""
    own = REPOSITORY / "tests" / "support" / "asynchronous.py"
    called = "asyncio" + ".run("
    files = (path for path in sorted((REPOSITORY / "tests").rglob("*.py")) if path != own)
    assert [str(path.relative_to(REPOSITORY)) for path in files if called in path.read_text()] == []


def _imports(path: Path) -> Iterator[str]:
    """Yield the dotted names that the file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (
                f"{node.module or ''}.{alias.name}" for alias in node.names if not alias.name.startswith("test_")
            )
            yield node.module or ""
