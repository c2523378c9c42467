"""Many objects are asked for before the first answer is read: each question gets its own, whatever comes between."""

import subprocess

import pytest

from bot.errors import DppctlError
from bot.git.mirror import Mirror
from tests.support.forge import Repository

pytestmark = pytest.mark.slow

MANY = 150  # more than are on their way at a time
FILES = {f"d{number}/file": f"of {number}" for number in range(MANY)}


def is_file(path: str) -> bool:
    return path.endswith("file")


def test_each_file_below_many_folders_has_its_own_content(mirror: Mirror, repository: Repository) -> None:
    files = {**FILES, "again/d7/file": "of 7", "again/d8/file": "of 8"}
    commit = repository.push(files)
    mirror.refresh()
    with mirror.open() as reader:
        assert reader.read_below(commit, "", is_file, 100) == {path: text.encode() for path, text in files.items()}


def test_each_of_many_branches_and_tags_has_its_own_time(mirror: Mirror, repository: Repository) -> None:
    stream, times = [], {}
    for number in range(MANY):
        time = times[f"refs/heads/b{number}"] = 1_600_000_000 + number
        stream.append(f"commit refs/heads/b{number}\ncommitter a <a@b.org> {time} +0000\ndata 1\nx\n")
        tagged = times[f"refs/tags/t{number}"] = time + MANY
        stream.append(f"tag t{number}\nfrom refs/heads/b{number}\ntagger a <a@b.org> {tagged} +0000\ndata 1\nx\n")
    subprocess.run(["git", "fast-import", "--quiet"], cwd=repository.bare, input="".join(stream).encode(), check=True)
    mirror.refresh()
    with mirror.open() as reader:
        assert {ref.name: created for ref, created in reader.refs().items()} == times


@pytest.mark.parametrize("size", [200, 5 * 2**20], ids=["read over", "not waited for"])
def test_after_what_is_too_large_the_next_question_gets_its_own_answer(
    mirror: Mirror, repository: Repository, size: int
) -> None:
    commit = repository.push({**FILES, "d0/file": "x" * size})
    mirror.refresh()
    with mirror.open() as reader:
        with pytest.raises(DppctlError, match=r"^d0/file: larger than 0 KB$"):
            reader.read_below(commit, "", is_file, 100)
        assert reader.message(commit) == "change\n"
        assert reader.read([(commit, "d9/file")], 100) == {(commit, "d9/file"): b"of 9"}


def test_so_does_one_after_more_than_a_look_reads(
    mirror: Mirror, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.git.budget.MAX_PATHS", MANY + 10)
    commit = repository.push(FILES)
    mirror.refresh()
    with mirror.open() as reader:
        with pytest.raises(DppctlError, match="files and folders"):
            reader.read_below(commit, "", is_file, 100)
        assert reader.read([(commit, "d9/file")], 100) == {(commit, "d9/file"): b"of 9"}
