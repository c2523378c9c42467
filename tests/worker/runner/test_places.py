"""The user's own line that failed, and what is around it."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as some

from bot.model.receipt import PipelineResult
from worker.limits import PLACE_LINE_CHARACTERS
from worker.runner.places import find_place


def test_it_has_two_lines_before_and_after(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/b.py").write_text("".join(f"line {number}\n" for number in range(1, 10)))
    assert find_place("a/b.py:5: KeyError: 'x'\nload:\nTraceback", tmp_path) == {
        "file": "a/b.py",
        "line": 5,
        "processor": "load",
        "source": {"first": 3, "lines": ["line 3", "line 4", "line 5", "line 6", "line 7"]},
    }
    place = find_place("a/b.py:1: KeyError: 'x'\nload:", tmp_path)
    assert place
    assert place["source"] == {"first": 1, "lines": ["line 1", "line 2", "line 3"]}


def test_what_cannot_be_read_has_a_place_without_source(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.py")  # nobody waits for who writes into it
    (tmp_path / "folder.py").mkdir()
    (tmp_path / "short.py").write_text("one line")
    for name in ("gone.py", "pipe.py", "folder.py", "short.py"):
        assert find_place(f"{name}:7: ValueError: x\nload:", tmp_path) == {
            "file": name,
            "line": 7,
            "processor": "load",
        }


def test_an_error_that_begins_with_no_line_of_the_users_has_no_place(tmp_path: Path) -> None:
    for error in ("load: it failed", "dpp was ended by SIGKILL", "line 3 of the step's code: KeyError", "", "x:\n7: y"):
        assert find_place(error, tmp_path) is None


@given(some.text(), some.binary(), some.integers(1, 50))
def test_whatever_stands_there_the_receipt_takes_it(text: str, content: bytes, line: int) -> None:
    with TemporaryDirectory() as folder:
        (Path(folder) / "x.py").write_bytes(content)
        place = find_place(f"x.py:{line}: {text}", Path(folder))
    result = PipelineResult.model_validate({"id": "./a", "status": "failed", "error": text, "place": place})
    assert result.place
    assert result.place.line == line
    if source := result.place.source:
        assert source.first <= line < source.first + len(source.lines)
        assert all(len(found) <= PLACE_LINE_CHARACTERS for found in source.lines)
