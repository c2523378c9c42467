"""A file has one subject, and no more than 300 lines; migrations stay as they were written."""

from tests.support.environment import REPOSITORY

MAX_LINES = 300
LEFT_OUT = (".venv", "build", "migrations")


def test_no_python_file_is_longer_than_300_lines() -> None:
    files = [path for path in REPOSITORY.rglob("*.py") if not set(LEFT_OUT) & set(path.parts)]
    long = {str(path.relative_to(REPOSITORY)): len(path.read_text().splitlines()) for path in files}
    assert {name: lines for name, lines in long.items() if lines > MAX_LINES} == {}
