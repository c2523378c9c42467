import os
from pathlib import Path

import pytest

from bot.errors import DppctlError
from bot.git.command import Git
from bot.git.mirror import Mirror
from bot.model.pipeline_specs import is_spec
from bot.settings import Settings
from tests.support.forge import Forge, Repository


@pytest.fixture
def repository(forge: Forge) -> Repository:
    return forge.repository("ann/app")


@pytest.fixture
def mirror(bot_git: Git, settings: Settings, repository: Repository, tmp_path: Path) -> Mirror:
    return Mirror(bot_git, settings.github.repository_url(repository.name), tmp_path / "mirror")


def seen(mirror: Mirror) -> dict[str, str]:
    mirror.refresh()
    return {ref.name: ref.commit for ref in mirror.refs()}


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


def test_an_annotated_tag_names_its_commit_and_its_own_time(mirror: Mirror, repository: Repository) -> None:
    commit = repository.push({"a": "1"})
    repository.tag("v1", "--annotate", "--message", "one")
    mirror.refresh()
    created = mirror.refs()
    master, tag = created
    assert (tag.name, tag.commit) == ("refs/tags/v1", commit)
    assert created[tag] > created[master]


def test_names_that_we_do_not_accept_are_left_out(mirror: Mirror, repository: Repository) -> None:
    repository.push({"a": "1"})
    repository.git("push", "--quiet", "origin", "HEAD:refs/heads/$(touch)", "HEAD:refs/tags/a;b")
    for name in (b"refs/heads/\xe2\x80\xa8line", b"refs/heads/\xff\xfe"):  # a line's end in Unicode; no UTF-8
        ref = repository.bare / os.fsdecode(name)
        ref.write_text(repository.git("rev-parse", "HEAD") + "\n")
    assert list(seen(mirror)) == ["refs/heads/master"]


def test_the_default_branch_may_have_any_name(mirror: Mirror, repository: Repository) -> None:
    repository.push({"a": "1"})
    commit = repository.push({"a": "2"}, branch="trunk")
    (repository.bare / "HEAD").write_text("ref: refs/heads/trunk\n")
    mirror.refresh()
    assert mirror.head() == commit


def test_files_are_read_at_commits_and_missing_ones_are_none(mirror: Mirror, repository: Repository) -> None:
    first = repository.push({"a/b": "1\n", "empty": ""})
    second = repository.push({"a/b": "22"})
    mirror.refresh()
    found = mirror.read([(first, "a/b"), (second, "no"), (second, "a"), (first, "empty"), (second, "a/b")], 10)
    assert list(found.values()) == [b"1\n", None, None, b"", b"22"]
    with pytest.raises(DppctlError, match="larger than"):
        mirror.read([(first, "a/b")], 1)


def test_specs_below_a_folder_are_found_by_their_path_from_there(mirror: Mirror, repository: Repository) -> None:
    files = {"app/pipeline-spec.yaml": "1", "app/x/pipeline-spec.yaml": "2", "pipeline-spec.yaml": "3", "app/y": ""}
    commit = repository.push(files)
    mirror.refresh()
    assert mirror.read_below(commit, "app", is_spec, 9) == {"pipeline-spec.yaml": b"1", "x/pipeline-spec.yaml": b"2"}
    assert len(mirror.read_below(commit, "", is_spec, 9)) == 3
    with pytest.raises(DppctlError, match="there is no folder nowhere at"):
        mirror.read_below(commit, "nowhere", is_spec, 9)


def test_an_export_is_the_folder_at_that_commit_and_nothing_else(
    mirror: Mirror, repository: Repository, tmp_path: Path
) -> None:
    commit = repository.push({"app/run.py": "old", "other": ""})
    repository.push({"app/run.py": "new"})
    mirror.refresh()
    target = tmp_path / "target"
    (target / "left").mkdir(parents=True)
    mirror.export(commit, "app", target)
    assert [(file.name, file.read_text()) for file in target.iterdir()] == [("run.py", "old")]


def test_a_link_out_of_the_source_is_not_exported(mirror: Mirror, repository: Repository, tmp_path: Path) -> None:
    (repository.work / "link").symlink_to("/etc")
    commit = repository.push({"a": "1"})
    mirror.refresh()
    with pytest.raises(DppctlError, match="link"):
        mirror.export(commit, "", tmp_path / "target")


def test_nothing_new_costs_no_fetch(mirror: Mirror, repository: Repository) -> None:
    repository.push({"a": "1"})
    mirror.refresh()
    seen_file = mirror.folder / "dppctl-seen"
    before = seen_file.stat().st_mtime_ns
    mirror.refresh()
    assert seen_file.stat().st_mtime_ns == before


def test_a_person_names_a_branch_a_tag_or_a_commit_that_one_of_them_holds(
    mirror: Mirror, repository: Repository
) -> None:
    first = repository.push({"a": "1"})
    repository.tag("both")
    repository.tag("v1")
    gone = repository.push({"a": "2"}, branch="both")
    mirror.refresh()
    assert mirror.resolve("v1").name == mirror.resolve("refs/tags/v1").name == "refs/tags/v1"
    assert mirror.resolve(first[:8]).commit == mirror.resolve("master").commit == first
    with pytest.raises(DppctlError, match="both is a branch and a tag; say refs/heads/both or refs/tags/both"):
        mirror.resolve("both")
    assert mirror.resolve(gone).commit == gone
    repository.git("push", "--quiet", "origin", "--delete", "refs/heads/both")
    mirror.refresh()
    for name in (gone, "v2", "HEAD", "--all", "master^", "0" * 40, ""):
        with pytest.raises(DppctlError, match="there is no branch, tag or commit"):
            mirror.resolve(name)


def test_a_folder_has_the_same_tree_as_long_as_nothing_below_it_changes(mirror: Mirror, repository: Repository) -> None:
    first = repository.push({"app/a": "1"})
    second = repository.push({"b": "1"})
    third = repository.push({"app/a": "2"})
    mirror.refresh()
    trees = mirror.trees([first, second, third, "0" * 40], "app")
    assert trees[first] == trees[second] != trees[third]
    assert (trees["0" * 40], mirror.trees([first], "none")) == (None, {first: None})
    assert mirror.trees([first], "")[first] != mirror.trees([second], "")[second]
