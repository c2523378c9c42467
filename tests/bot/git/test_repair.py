"""Copies that a crash, a full disk or a person left in a bad state: they are made anew, and nobody has to come."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from bot.errors import DppctlError
from bot.git.command import Git
from bot.git.copies import is_broken
from bot.git.errors import CopyError, TransientGitError
from bot.git.mirror import Mirror
from bot.settings import Settings
from tests.support.broken_copies import BROKEN, LOCKS, REMAINS, leave
from tests.support.forge import Repository

pytestmark = pytest.mark.slow


def look(mirror: Mirror, tries: int = 3) -> tuple[str, bytes | None]:
    """Refresh and read until that is possible, as the bot's loop does; the head, and the file `a` there."""
    for left in reversed(range(tries)):
        try:
            mirror.refresh()
            head = mirror.head()
            assert head
            with mirror.open() as reader:
                reader.refs()
                return head, reader.read([(head, "a")], 100)[head, "a"]
        except DppctlError:
            if not left:
                raise
    raise AssertionError


@pytest.fixture
def kept(mirror: Mirror, repository: Repository) -> Mirror:
    """A copy of a repository with a branch and a tag."""
    repository.push({"a": "1"})
    repository.tag("v1")
    mirror.refresh()
    return mirror


@pytest.fixture
def restarted(bot_git: Git, settings: Settings, kept: Mirror) -> Mirror:
    """The same after a start."""
    return Mirror(bot_git, settings.github.repository_url("ann/app"), kept.folder)


def test_a_copy_whose_configuration_is_no_text_is_told_and_made_anew(kept: Mirror, repository: Repository) -> None:
    (kept.folder / "config").write_bytes(b"[core]\n\trepositor\0\xff#rmatversion = 0\n")
    with pytest.raises(CopyError, match="there is no repository"), kept.open():
        pass
    assert look(kept) == (repository.git("rev-parse", "HEAD"), b"1")


@pytest.mark.parametrize("harm", BROKEN.values(), ids=BROKEN)
def test_a_copy_that_was_left_in_a_bad_state_is_used_again_after_a_start(
    harm: Callable[[Path], object], restarted: Mirror, repository: Repository
) -> None:
    harm(restarted.folder)
    repository.git("push", "--quiet", "--delete", "origin", "v1")
    commit = repository.push({"a": "2"})
    assert look(restarted) == (commit, b"2")


@pytest.mark.parametrize("harm", BROKEN.values(), ids=BROKEN)
def test_so_is_one_that_gets_into_it_while_it_is_used(
    harm: Callable[[Path], object], kept: Mirror, repository: Repository
) -> None:
    harm(kept.folder)
    repository.git("push", "--quiet", "--delete", "origin", "v1")
    commit = repository.push({"a": "2"})
    assert look(kept) == (commit, b"2")


def test_what_an_ended_git_left_goes_at_a_start(restarted: Mirror) -> None:
    module = restarted.folder / "modules/ann+lib"
    remains = [
        *REMAINS,
        *LOCKS,
        "objects/pack/.tmp-1-pack-ab.pack",
        "objects/pack/pack-ab.keep",
        "lfs/incomplete/ab.tmp",
    ]
    for folder in (restarted.folder, module):
        leave(folder, *remains)
    restarted.refresh()
    assert not [name for name in remains if (restarted.folder / name).exists() or (module / name).exists()]


def test_a_copy_without_head_is_not_taken_for_a_part_of_the_clone_that_it_lies_in(
    bot_git: Git, settings: Settings, repository: Repository
) -> None:
    repository.push({"a": "1"})
    mirror = Mirror(bot_git, settings.github.repository_url("ann/app"), repository.work / "state" / "ann+app")
    mirror.refresh()
    repository.push_all(branch="other")
    repository.git("checkout", "--quiet", "-b", "mine")
    before = repository.git("for-each-ref") + repository.git("symbolic-ref", "HEAD")
    (mirror.folder / "HEAD").unlink()
    look(mirror)
    assert repository.git("for-each-ref") + repository.git("symbolic-ref", "HEAD") == before


def test_a_repository_that_is_away_leaves_the_copy_as_it_is(kept: Mirror, repository: Repository) -> None:
    node = kept.folder.stat().st_ino
    repository.bare.rename(repository.bare.with_name("away"))
    for _ in range(3):
        with pytest.raises(TransientGitError):
            kept.refresh()
    assert kept.folder.stat().st_ino == node


def test_the_end_of_the_program_breaks_no_copy(bot_git: Git, kept: Mirror) -> None:
    with kept.open() as reader:
        reader.refs()
        bot_git.close()
        with pytest.raises(TransientGitError):
            reader.read([("0" * 40, "a")], 100)
    with pytest.raises(TransientGitError, match="stopped"):
        kept.refresh()
    assert not is_broken(kept.folder)


@pytest.mark.parametrize("harm", BROKEN.values(), ids=BROKEN)
def test_an_export_that_fails_is_mended_by_a_refresh(
    harm: Callable[[Path], object], kept: Mirror, tmp_path: Path
) -> None:
    head = kept.head()
    assert head
    harm(kept.folder)
    with suppress(DppctlError):
        kept.files(head, "").export(tmp_path / "files")
    kept.refresh()
    kept.files(head, "").export(tmp_path / "files")
    assert (tmp_path / "files/a").read_text() == "1"


@pytest.mark.parametrize("harm", BROKEN.values(), ids=BROKEN)
def test_and_one_of_a_repository_in_which_nothing_is_new(
    harm: Callable[[Path], object], restarted: Mirror, repository: Repository
) -> None:
    harm(restarted.folder)
    assert look(restarted) == (repository.git("rev-parse", "HEAD"), b"1")
