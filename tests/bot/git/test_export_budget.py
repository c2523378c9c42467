"""What an export reads and writes at most, and what it says then."""

from pathlib import Path

import pytest

from bot.errors import PermanentError
from bot.git.command import Git
from bot.git.mirror import Mirror
from bot.git.objects import open_objects
from tests.support.commits import add_submodule, push_bomb
from tests.support.exported import export, pointer_of
from tests.support.forge import Forge, Repository

pytestmark = pytest.mark.slow


def refused(mirror: Mirror, commit: str, target: Path) -> str:
    """Return why the commit is not exported."""
    with pytest.raises(PermanentError) as refusal:
        export(mirror, commit, target)
    assert not target.exists()
    return str(refusal.value)


def test_a_submodule_of_ten_billion_files_is_cut_off(
    mirror: Mirror, repository: Repository, forge: Forge, target: Path
) -> None:
    library = forge.repository("ann/library")
    commit = add_submodule(repository, library, "lib", "../library.git", push_bomb(library, 10))
    assert "with those before it that is more than 200,000 files and folders" in refused(mirror, commit, target)


def test_files_that_are_too_large_together_are_refused_before_they_are_there(
    mirror: Mirror, repository: Repository, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.git.budget.MAX_EXPORT_BYTES", 10**9)
    commit = repository.push({"a": "1", "b/c": pointer_of("x").replace("size 1", f"size {10**9}")})
    said = "b/c: with the files before it the app has more than 1 GB; make them smaller"
    assert refused(mirror, commit, target) == said


def test_a_link_to_a_path_that_no_disk_has_is_not_read(mirror: Mirror, repository: Repository, target: Path) -> None:
    repository.push({"link": "a" * 5_000})
    identity = repository.git("rev-parse", "HEAD:link")
    repository.git("update-index", "--cacheinfo", f"120000,{identity},link")
    repository.git("commit", "--quiet", "--message", "a link")
    repository.git("push", "--quiet", "origin", "HEAD:refs/heads/master")
    commit = repository.git("rev-parse", "HEAD")
    said = "link: this symbolic link leads to a path of more than 4,096 characters"
    assert refused(mirror, commit, target) == said


def test_files_that_say_what_is_built_have_a_limit(
    mirror: Mirror, repository: Repository, forge: Forge, target: Path
) -> None:
    repository.push({".gitmodules": "# " + "a" * 2**20, "Dockerfile": "# " + "a" * 2**20})
    library = forge.repository("ann/library")
    identity = library.push({"lib.py": ""})
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{identity},lib")
    repository.git("commit", "--quiet", "--message", "a submodule")
    repository.git("push", "--quiet", "origin", "HEAD:refs/heads/master")
    commit = repository.git("rev-parse", "HEAD")
    assert refused(mirror, commit, target) == ".gitmodules: larger than 1,024 KB; make it smaller"
    with pytest.raises(PermanentError, match=r"^Dockerfile: larger than 1,024 KB; make"):
        mirror.files(commit, "").read("Dockerfile")


def test_a_large_file_of_zeroes_goes_through_git_in_pieces(
    bot_git: Git, mirror: Mirror, repository: Repository
) -> None:
    with (repository.work / "zeroes").open("wb") as file:
        file.truncate(150 * 2**20)
    commit = repository.push({"a": ""})
    mirror.refresh()
    with open_objects(bot_git, mirror.folder) as objects:
        pieces = objects.pieces(repository.git("rev-parse", f"{commit}:zeroes"))
        assert len(next(pieces)) == 2**20
        [process] = bot_git._running
        status = Path(f"/proc/{process.pid}/status").read_text()
    [peak] = [int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")]
    assert peak < 50 * 1024
