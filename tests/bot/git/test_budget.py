"""What a look at a repository reads at most, and what it says then."""

import time
from pathlib import Path

import pytest

from bot.errors import DppctlError
from bot.git.errors import PermanentGitError
from bot.git.mirror import Mirror
from bot.model.spec_files import is_spec
from tests.support.commits import push_bomb
from tests.support.forge import Repository

pytestmark = pytest.mark.slow


def test_of_very_many_branches_and_tags_the_newest_are_looked_at(
    mirror: Mirror, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.git.refs.MAX_REFS", 3)
    old = repository.push({"a": "1"})
    repository.git("push", "--quiet", "origin", "HEAD:refs/tags/old")
    for name in ("one", "two"):
        repository.push({"a": name}, branch=name)
    repository.tag("v1", "--annotate", "--message", "new")
    mirror.refresh()
    with mirror.open() as reader:
        assert {ref.name for ref in reader.refs()} == {
            "refs/heads/master", "refs/heads/one", "refs/heads/two", "refs/tags/v1"
        }  # fmt: skip
        assert reader.old_tags() == {"refs/tags/old": old}
        assert reader.left_out() == {
            "refs/tags/old": "there are 5 branches and tags, and only the newest 3 are looked at; delete old ones, or "
            "push a new commit"
        }
        with pytest.raises(DppctlError, match="tag old cannot be deployed: there are 5 branches and tags"):
            reader.resolve("old")


def test_more_branches_and_tags_than_are_fetched_are_refused(
    mirror: Mirror, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.git.mirror.MAX_FETCHED_REFS", 1)
    repository.push({"a": "1"})
    mirror.refresh()
    repository.tag("v1")
    with pytest.raises(PermanentGitError, match="the repository has 2 branches and tags, and 1 are fetched at most"):
        mirror.refresh()


def test_a_tag_with_a_very_long_message_is_not_deployed(mirror: Mirror, repository: Repository, tmp_path: Path) -> None:
    repository.push({"a": "1"})
    (tmp_path / "message").write_text("long " * 60_000)
    repository.tag("v1", "--annotate", "--file", str(tmp_path / "message"))
    mirror.refresh()
    with mirror.open() as reader:
        assert reader.left_out() == {"refs/tags/v1": "its message has more than 256 KB"}
        assert len(reader.refs()) == 1


def test_different_versions_of_a_file_are_read_up_to_a_limit_the_first_ones_first(
    mirror: Mirror, repository: Repository
) -> None:
    same = [repository.push({"a": "1111"}), repository.push({"b": ""}), repository.push({"c": ""})]
    other, large = repository.push({"a": "22"}), repository.push({"a": "333333"})
    none = repository.push({"a/b": ""}) if (repository.work / "a").unlink() is None else ""
    mirror.refresh()
    with mirror.open() as reader:
        found, contents = reader.versions([*same, large, none, other], "a", 5, 5)
        assert len({found[commit] for commit in same}) == 1
        assert list(contents.values()) == [b"1111"]
        assert str(found[large]) == f"{large}:a: larger than 0 KB"
        assert found[none] is None
        assert str(found[other]).startswith("a is not read here, as the different ones of newer branches and tags")


@pytest.mark.parametrize("depth", [7, 10])
def test_folders_of_the_same_folders_are_cut_off(depth: int, mirror: Mirror, repository: Repository) -> None:
    commit = push_bomb(repository, depth)
    mirror.refresh()
    started = time.process_time()
    with mirror.open() as reader:
        with pytest.raises(DppctlError, match=r"^there are more than 200,000 files and folders"):
            reader.read_below(commit, "", is_spec, 99)
        assert reader.message(commit) == "bomb\n"
    assert time.process_time() - started < 5


def test_a_folder_that_is_too_large_is_cut_off_while_it_is_read(
    mirror: Mirror, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = repository.push({f"file{number}": "" for number in range(20)})
    mirror.refresh()
    for limit, said in ((9, "more than 9 files and folders"), (20, None)):
        monkeypatch.setattr("bot.git.budget.MAX_PATHS", limit)
        with mirror.open() as reader:
            if said:
                with pytest.raises(DppctlError, match=said):
                    reader.read_below(commit, "", is_spec, 99)
            assert reader.message(commit) == "change\n"
            assert reader.link(commit, "file1") is None


def test_files_that_are_too_large_together_are_refused(
    mirror: Mirror, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {f"{number}/pipeline-spec.yaml": f"{number % 2}" * 999 for number in range(4)}
    commit = repository.push(files)
    mirror.refresh()
    with mirror.open() as reader:
        assert len(reader.read_below(commit, "", is_spec, 999, 2_000)) == 4
        with pytest.raises(
            DppctlError, match=r"^1/pipeline-spec.yaml: with the files before it that is more than 1 KB"
        ):
            reader.read_below(commit, "", is_spec, 999, 1_500)
    monkeypatch.setattr("bot.git.budget.MAX_LOOK_BYTES", 1_500)
    with mirror.open() as reader, pytest.raises(DppctlError, match=r"^a look at the repository reads more than 0 MB"):
        reader.read_below(commit, "", is_spec, 999)
