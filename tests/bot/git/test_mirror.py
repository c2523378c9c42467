import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from bot.errors import DppctlError
from bot.git.command import Git
from bot.git.errors import GitError, TransientGitError
from bot.git.mirror import Mirror
from bot.settings import Settings
from tests.support.forge import Repository, git

pytestmark = pytest.mark.slow


def seen(mirror: Mirror) -> dict[str, str]:
    mirror.refresh()
    with mirror.open() as reader:
        return {ref.name: ref.commit for ref in reader.refs()}


def test_an_empty_repository_has_no_head_and_no_refs(mirror: Mirror) -> None:
    assert seen(mirror) == {}
    assert mirror.head() is None


def test_refs_follow_pushes_moves_and_deletions(mirror: Mirror, repository: Repository) -> None:
    first = repository.push({"a": "1"})
    repository.tag("v1")
    assert seen(mirror) == {"refs/heads/master": first, "refs/tags/v1": first}
    second = repository.push({"a": "2"})
    repository.git("push", "--quiet", "origin", "--delete", "v1")
    assert seen(mirror) == {"refs/heads/master": second}
    repository.git("reset", "--quiet", "--hard", first)
    repository.git("push", "--quiet", "--force", "origin", "HEAD:master")
    assert seen(mirror) == {"refs/heads/master": first}


def test_a_repository_that_shows_nothing_any_more_is_asked_again(mirror: Mirror, repository: Repository) -> None:
    commit = repository.push({"a": "1"})
    repository.tag("v1")
    before = seen(mirror)
    away = repository.bare.rename(repository.bare.with_suffix(".away"))
    git(repository.bare.parent, "init", "--quiet", "--bare", repository.bare.name)  # as a disk that is not mounted yet
    for _ in range(2):
        with pytest.raises(TransientGitError, match="had 2 branches and tags, and shows none now; it is asked again"):
            mirror.refresh()
        with mirror.open() as reader:
            assert {ref.name: ref.commit for ref in reader.refs()} == before
        assert len(git(mirror.folder, "for-each-ref").splitlines()) == 2
    (mirror.folder / "dppctl-seen").write_text("half a li")  # what was there is known from the copy too
    with pytest.raises(TransientGitError, match="had 2 branches and tags"):
        mirror.refresh()
    shutil.rmtree(repository.bare)
    away.rename(repository.bare)
    assert seen(mirror) == {"refs/heads/master": commit, "refs/tags/v1": commit}


def test_a_repository_may_lose_all_its_tags(mirror: Mirror, repository: Repository) -> None:
    commit = repository.push({"a": "1"})
    repository.tag("v1")
    mirror.refresh()
    repository.git("push", "--quiet", "origin", "--delete", "v1")
    assert seen(mirror) == {"refs/heads/master": commit}
    assert len(git(mirror.folder, "for-each-ref").splitlines()) == 1


def test_a_branch_may_become_a_folder_of_branches(mirror: Mirror, repository: Repository) -> None:
    commit = repository.push({"a": "1"}, branch="x")
    assert seen(mirror) == {"refs/heads/x": commit}
    repository.git("push", "--quiet", "origin", "--delete", "x")
    repository.push({"a": "2"}, branch="x/y")
    (repository.bare / "refs/heads").joinpath(os.fsdecode(b"\xff\xfe")).write_text(f"{commit}\n")
    assert set(seen(mirror)) == {"refs/heads/x/y"}
    (repository.bare / "refs/heads").joinpath(os.fsdecode(b"\xff\xfe")).unlink()
    assert set(seen(mirror)) == {"refs/heads/x/y"}
    assert len(git(mirror.folder, "for-each-ref").splitlines()) == 1


def test_an_answer_that_is_no_list_of_refs_changes_nothing(
    settings: Settings, repository: Repository, tmp_path: Path
) -> None:
    class OddGit(Git):
        answer = b"<html>\tlog in</html>\n"

        def run(self, folder: Path, *arguments: str, **options: Any) -> bytes:
            found = super().run(folder, *arguments, **options)
            return self.answer if arguments[0] == "ls-remote" and self.answer else found

    git_of_bot = OddGit(settings)
    mirror = Mirror(git_of_bot, settings.github.repository_url(repository.name), tmp_path / "mirror")
    repository.push({"a": "1"})
    with pytest.raises(TransientGitError, match="git ls-remote: the answer is no list of branches and tags: '<html>"):
        mirror.refresh()
    git_of_bot.answer = b""
    assert set(seen(mirror)) == {"refs/heads/master"}


def test_the_default_branch_may_have_any_name(mirror: Mirror, repository: Repository) -> None:
    repository.push({"a": "1"})
    commit = repository.push({"a": "2"}, branch="trunk")
    (repository.bare / "HEAD").write_text("ref: refs/heads/trunk\n")
    mirror.refresh()
    assert mirror.head() == commit


def test_where_the_repository_names_no_branch_that_is_there_the_copys_own_counts(
    mirror: Mirror, repository: Repository
) -> None:
    mirror.refresh()
    (mirror.folder / "HEAD").write_text("ref: refs/heads/trunk\n")
    commit = repository.push({"a": "1"}, branch="trunk")
    mirror.refresh()
    assert mirror.head() == commit


def test_the_first_commit_of_an_empty_repository_is_its_head_once_it_is_pushed(
    mirror: Mirror, repository: Repository
) -> None:
    mirror.refresh()
    other = repository.push({"a": "1"}, branch="other")
    mirror.refresh()
    mirror.push("refs/heads/other", None, other)
    assert mirror.head() == other
    mirror.refresh()
    assert mirror.head() == other


def test_a_copy_that_is_there_is_read_after_a_restart_without_asking(mirror: Mirror, repository: Repository) -> None:
    commit = repository.push({"a": "1"})
    mirror.refresh()
    mirror.seen = ""  # as after a start
    with mirror.open() as reader:
        assert [ref.commit for ref in reader.refs()] == [mirror.head()] == [commit]


def test_nothing_can_be_read_before_something_was_fetched(mirror: Mirror) -> None:
    with pytest.raises(TransientGitError, match="there is no repository in"), mirror.open():
        pass


def test_nothing_new_costs_no_fetch(mirror: Mirror, repository: Repository) -> None:
    repository.push({"a": "1"})
    mirror.refresh()
    seen_file = mirror.folder / "dppctl-seen"
    before = seen_file.stat().st_mtime_ns
    mirror.refresh()
    assert seen_file.stat().st_mtime_ns == before


def test_an_export_is_the_folder_at_that_commit_and_nothing_else(
    mirror: Mirror, repository: Repository, tmp_path: Path
) -> None:
    commit = repository.push({"app/run.py": "old", "other": ""})
    repository.push({"app/run.py": "new"})
    target = tmp_path / "target"
    (target / "left").mkdir(parents=True)
    mirror.refresh()
    mirror.files(commit, "app").export(target)
    assert [(file.name, file.read_text()) for file in target.iterdir()] == [("run.py", "old")]


def test_a_link_out_of_the_source_is_not_exported(mirror: Mirror, repository: Repository, tmp_path: Path) -> None:
    (repository.work / "link").symlink_to("/etc")
    commit = repository.push({"a": "1"})
    mirror.refresh()
    with pytest.raises(DppctlError, match="link"):
        mirror.files(commit, "").export(tmp_path / "target")


def test_who_pushes_from_a_commit_that_is_not_the_newest_any_more_changes_nothing(
    mirror: Mirror, bot_git: Git, settings: Settings, repository: Repository, tmp_path: Path
) -> None:
    """Also with a commit that comes after the newest: it was decided on from what was there before."""
    old = repository.push({"a": "1"})
    late = Mirror(bot_git, settings.github.repository_url(repository.name), tmp_path / "late")

    def commit(parent: str, message: str) -> str:
        return git(late.folder, "commit-tree", "-p", parent, "-m", message, f"{old}^{{tree}}")

    for copy in (mirror, late):
        copy.refresh()
    first = git(mirror.folder, "commit-tree", "-p", old, "-m", "first", f"{old}^{{tree}}")
    mirror.push(first, old, first)
    git(late.folder, "fetch", "--quiet", str(repository.bare), "master")
    for ours in (commit(old, "beside it"), commit(first, "after it")):
        with pytest.raises(GitError, match="rejected"):
            late.push(ours, old, ours)
        assert git(repository.bare, "rev-parse", "master") == first
    late.catch_up()
    assert late.head() == first
