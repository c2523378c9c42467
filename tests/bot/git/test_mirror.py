from pathlib import Path

import pytest

from bot.errors import DppctlError
from bot.git.errors import TransientGitError
from bot.git.mirror import Mirror
from tests.support.forge import Repository


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
