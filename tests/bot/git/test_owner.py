"""Folders of another user, such as a volume's: copies work, and the rest is told with what helps."""

import os
from pathlib import Path

import pytest

from bot.git.command import Git
from bot.git.errors import PermanentGitError
from bot.git.mirror import Mirror
from bot.settings import Settings
from tests.support.forge import Repository

pytestmark = pytest.mark.needs("root")

SOMEBODY = 12345


def give_away(folder: Path) -> None:
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, SOMEBODY, SOMEBODY)


def test_a_copy_in_a_state_folder_of_another_user_is_used(
    mirror: Mirror, repository: Repository, tmp_path: Path
) -> None:
    repository.push({"a": "1"})
    mirror.refresh()
    give_away(mirror.folder)
    commit = repository.push({"a": "2"})
    mirror.refresh()
    with mirror.open() as reader:
        assert reader.message(commit) == "change\n"
    mirror.files(commit, "").export(tmp_path / "files")
    assert (tmp_path / "files/a").read_text() == "2"


def test_a_repository_of_another_user_on_this_disk_is_told_with_what_helps(
    mirror: Mirror, repository: Repository
) -> None:
    repository.push({"a": "1"})
    give_away(repository.bare)
    expected = f"git ls-remote: {repository.bare} belongs to another user; run dppctl as that user, or make it yours"
    with pytest.raises(PermanentGitError, match=f"^{expected}: chown -R USER {repository.bare}$"):
        mirror.refresh()
    for path in [repository.bare, *repository.bare.rglob("*")]:
        os.chown(path, os.getuid(), os.getgid())
    mirror.refresh()


def test_so_is_a_clone_that_dppctl_build_is_run_in(settings: Settings, repository: Repository) -> None:
    repository.push({"a": "1"})
    give_away(repository.work)
    with pytest.raises(PermanentGitError, match="make it yours: chown -R USER"):
        Git(settings, searches=True).run(repository.work, "rev-parse", "HEAD")
