"""What a damaged copy has lost is not there for git, like a file that nobody ever had: only the latter is believed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bot.git.errors import CopyError
from bot.git.mirror import Mirror
from bot.git.reader import GitReader
from bot.model.spec_files import is_spec
from tests.support.commits import add_submodule
from tests.support.forge import Forge, Repository, git

pytestmark = pytest.mark.slow

FILES = {"env/e1/values.yaml": "1", "env/e2/values.yaml": "2", "pipeline-spec.yaml": "3"}
PATH = "env/e1/values.yaml"
READS: dict[str, Callable[[GitReader, str], object]] = {
    "read": lambda reader, commit: reader.read([(commit, PATH)], 9),
    "read_each": lambda reader, commit: reader.read_each([(commit, PATH)], 9),
    "versions": lambda reader, commit: reader.versions([commit], PATH, 9, 9),
    "entries": lambda reader, commit: reader.entries(commit, [PATH]),
    "absent": lambda reader, commit: reader.entries(commit, ["env/e1/other", "env/e1/values.yaml/below"]),
}
OF_FOLDERS: dict[str, Callable[[GitReader, str], object]] = {
    "trees": lambda reader, commit: reader.trees([commit], "env/e1"),
    "folders": lambda reader, commit: reader.folders(commit, "env/e1"),
    "read_below": lambda reader, commit: reader.read_below(commit, "env/e1", is_spec, 9),
    "link": lambda reader, commit: reader.link(commit, PATH),
}
LOST = {"the file": f":{PATH}", "its folder": ":env/e1", "the one above": ":env", "the first folder": "^{tree}"}


@pytest.fixture
def kept(mirror: Mirror, repository: Repository) -> Mirror:
    """A copy whose objects are files of their own."""
    repository.push(FILES)
    mirror.refresh()
    unpack(mirror)
    return mirror


def unpack(mirror: Mirror) -> None:
    """Have each object in a file of its own."""
    for pack in (mirror.folder / "objects" / "pack").glob("*.pack"):
        away = mirror.folder / pack.name
        pack.rename(away)
        pack.with_suffix(".idx").unlink()
        mirror.run("unpack-objects", "-q", stdin=away.read_bytes())


def lose(mirror: Mirror, name: str) -> Path:
    """Remove an object that a name leads to; return the file that it was."""
    identity = git(mirror.folder, "rev-parse", name)
    file = mirror.folder / "objects" / identity[:2] / identity[2:]
    file.unlink()
    return file


@pytest.mark.parametrize("lost", LOST.values(), ids=LOST)
def test_what_a_copy_has_lost_is_an_error_however_it_is_read_and_there_again_after_a_refresh(
    kept: Mirror, repository: Repository, lost: str
) -> None:
    commit = repository.git("rev-parse", "HEAD")
    lose(kept, f"{commit}{lost}")
    for name, read in (READS if lost == LOST["the file"] else READS | OF_FOLDERS).items():
        if name != "absent" or lost != LOST["the file"]:
            with pytest.raises(CopyError, match="missing"), kept.open() as reader:
                read(reader, commit)
    kept.refresh()
    with kept.open() as reader:
        assert reader.read([(commit, PATH)], 9) == {(commit, PATH): b"1"}
        assert reader.folders(commit, "env") == ["e1", "e2"]


def test_files_below_a_folder_that_is_lost_are_not_taken_for_absent(kept: Mirror, repository: Repository) -> None:
    commit = repository.git("rev-parse", "HEAD")
    lose(kept, f"{commit}:env/e2")
    with pytest.raises(CopyError, match="missing"), kept.open() as reader:
        reader.read_below(commit, "", is_spec, 9)


@pytest.mark.parametrize("lost", [":env", ":env/e1", ":.gitmodules", "^{tree}"])
def test_so_is_what_an_export_needs_and_it_is_there_after_a_refresh(
    kept: Mirror, repository: Repository, forge: Forge, target: Path, lost: str
) -> None:
    library = forge.repository("ann/library")
    library.push({"lib.py": "1"})
    commit = add_submodule(repository, library, "env/lib", "../library.git")
    kept.refresh()
    unpack(kept)
    lose(kept, f"{commit}{lost}")
    with pytest.raises(CopyError):
        kept.files(commit, "env").export(target)
    kept.refresh()
    kept.files(commit, "env").export(target)
    assert (target / "lib" / "lib.py").read_text() == "1"


def test_without_its_newest_commit_nothing_is_said_of_it(kept: Mirror, repository: Repository) -> None:
    first = repository.git("rev-parse", "HEAD")
    lose(kept, first)
    reads = READS | OF_FOLDERS | {"holds": lambda reader, commit: reader.holds("0" * 40, commit)}
    del reads["trees"]  # it may be asked for a commit of long ago
    for read in reads.values():
        with pytest.raises(CopyError, match="missing"), kept.open() as reader:
            read(reader, first)


def test_a_branch_that_fell_back_in_the_copy_does_not_count(kept: Mirror, repository: Repository) -> None:
    """A loose ref that is lost leaves what an older list of all refs says."""
    before = repository.git("rev-parse", "HEAD")
    commit = repository.push({PATH: "5"})
    kept.refresh()
    git(kept.folder, "update-ref", "refs/heads/master", before)
    with kept.open() as reader:
        assert reader.last_change(PATH) == commit
        assert len(reader.log("", "%H", 5)) == 2


def test_a_file_below_a_submodule_is_in_no_copy(kept: Mirror, repository: Repository) -> None:
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},lib")
    repository.git("commit", "--quiet", "--message", "submodule")
    repository.git("push", "--quiet", "origin", "HEAD:master")
    kept.refresh()
    commit = repository.git("rev-parse", "HEAD")
    with kept.open() as reader:
        assert reader.entries(commit, ["lib", "lib/file"]) == {"lib": None, "lib/file": None}
