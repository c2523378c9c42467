import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bot.errors import DppctlError
from bot.git import command
from bot.git.command import Git
from bot.git.errors import TransientGitError
from bot.git.mirror import Mirror
from bot.git.reader import GitReader
from bot.model.spec_files import is_spec
from tests.support.environment import processes_with
from tests.support.forge import Repository, git

Look = Callable[[], GitReader]

pytestmark = pytest.mark.slow


@pytest.fixture
def look(mirror: Mirror) -> Iterator[Look]:
    """Open what the repository holds now."""
    with ExitStack() as opened:

        def open_now() -> GitReader:
            mirror.refresh()
            return opened.enter_context(mirror.open())

        yield open_now


def test_an_annotated_tag_names_its_commit_and_its_own_time(look: Look, repository: Repository) -> None:
    commit = repository.push({"a": "1"})
    repository.tag("v1", "--annotate", "--message", "one")
    created = look().refs()
    master, tag = created
    assert (tag.name, tag.commit) == ("refs/tags/v1", commit)
    assert created[tag] > created[master]


def test_refs_are_dated_as_git_dates_them(look: Look, repository: Repository) -> None:
    repository.push({"a": "1"})
    repository.tag("light")
    repository.tag("heavy", "--annotate", "--message", "one\n\ncommitter x <y> 5 +0000")
    repository.push({"a": "2"}, branch="other")
    form = "--format=%(refname) %(creatordate:unix)"
    dates = git(repository.bare, "for-each-ref", form, "refs/heads", "refs/tags").splitlines()
    assert sorted(f"{ref.name} {created}" for ref, created in look().refs().items()) == dates


def test_what_names_no_commit_is_no_ref(look: Look, repository: Repository) -> None:
    repository.push({"a": "1"})
    for name, of in (("tree", "HEAD^{tree}"), ("blob", "HEAD:a")):
        repository.git("push", "--quiet", "origin", f"{repository.git('rev-parse', of)}:refs/tags/{name}")
        repository.git("tag", "--annotate", "--message", "x", f"of-{name}", of)
        repository.git("push", "--quiet", "origin", f"of-{name}")
    assert [ref.name for ref in look().refs()] == ["refs/heads/master"]


def test_a_tag_of_a_tag_names_the_commit_in_the_end(look: Look, repository: Repository) -> None:
    commit = repository.push({"a": "1"})
    repository.tag("v1", "--annotate", "--message", "one")
    repository.git("tag", "--annotate", "--message", "two", "v2", "v1")
    repository.git("tag", "--annotate", "--message", "three", "v3", "v2")
    repository.git("push", "--quiet", "origin", "v2", "v3")
    assert {ref.name: ref.commit for ref in look().refs()}["refs/tags/v3"] == commit
    assert look().resolve("v3").commit == commit


def test_what_is_left_out_is_told(look: Look, repository: Repository) -> None:
    repository.push({"a": "1"})
    repository.git("push", "--quiet", "origin", "HEAD:refs/tags/release(1)", "HEAD:refs/tags/v1.0!")
    repository.git("push", "--quiet", "origin", f"{repository.git('rev-parse', 'HEAD^{tree}')}:refs/tags/tree")
    left_out = look().left_out()
    assert left_out["refs/tags/tree"] == "it names a tree, and only a commit can be deployed"
    assert left_out["refs/tags/release(1)"].startswith("'(' is in its name; names that are deployed have")
    assert sorted(left_out) == ["refs/tags/release(1)", "refs/tags/tree", "refs/tags/v1.0!"]
    with pytest.raises(DppctlError, match=r"tag v1.0! cannot be deployed: '!' is in its name"):
        look().resolve("v1.0!")


def test_names_that_we_do_not_accept_are_left_out(look: Look, repository: Repository) -> None:
    repository.push({"a": "1"})
    repository.git("push", "--quiet", "origin", "HEAD:refs/heads/$(touch)", "HEAD:refs/tags/a;b")
    for name in (b"refs/heads/\xe2\x80\xa8line", b"refs/heads/\xff\xfe"):  # a line's end in Unicode; no UTF-8
        ref = repository.bare / os.fsdecode(name)
        ref.write_text(repository.git("rev-parse", "HEAD") + "\n")
    assert [ref.name for ref in look().refs()] == ["refs/heads/master"]


def test_files_are_read_at_commits_and_missing_ones_are_none(look: Look, repository: Repository) -> None:
    first = repository.push({"a/b": "1\n", "empty": ""})
    second = repository.push({"a/b": "22"})
    asked = [(first, "a/b"), (second, "no"), (second, "no such file"), (second, "a"), (first, "empty"), (second, "a/b")]
    reader = look()
    assert list(reader.read(asked, 10).values()) == [b"1\n", None, None, None, b"", b"22"]
    for _ in range(2):  # what was too large is not in the way of what is asked next
        with pytest.raises(DppctlError, match="larger than"):
            reader.read([(first, "a/b")], 1)
    assert reader.read([(second, "a/b")], 2) == {(second, "a/b"): b"22"}


def test_specs_below_a_folder_are_found_by_their_path_from_there(look: Look, repository: Repository) -> None:
    files = {"app/pipeline-spec.yaml": "1", "app/x/pipeline-spec.yaml": "2", "pipeline-spec.yaml": "3", "app/y": ""}
    (repository.work / "app" / "z").mkdir(parents=True)
    (repository.work / "app" / "z" / "pipeline-spec.yaml").symlink_to("../pipeline-spec.yaml")
    commit = repository.push(files)
    reader = look()
    found = reader.read_below(commit, "app", is_spec, 9)
    assert list(found.items()) == [
        ("pipeline-spec.yaml", b"1"),
        ("x/pipeline-spec.yaml", b"2"),
        ("z/pipeline-spec.yaml", None),
    ]
    assert len(reader.read_below(commit, "", is_spec, 9)) == 4
    for path in ("nowhere", "app/y"):
        with pytest.raises(DppctlError, match=f"there is no folder {path} at"):
            reader.read_below(commit, path, is_spec, 9)
    larger = repository.push({"app/x/pipeline-spec.yaml": "12"})
    with pytest.raises(DppctlError, match=r"x/pipeline-spec.yaml: larger than"):
        look().read_below(larger, "app", is_spec, 1)


def test_a_link_in_a_path_is_found(look: Look, repository: Repository) -> None:
    (repository.work / "app").mkdir()
    (repository.work / "app" / "file-link").symlink_to("../b")
    (repository.work / "folder-link").symlink_to("app")
    commit = repository.push({"app/a": "1", "b": "2"})
    reader = look()
    links = {"app/file-link": "app/file-link", "folder-link/a": "folder-link", "app/a": None, "no/a": None, "b/a": None}
    assert {path: reader.link(commit, path) for path in links} == links


def test_an_app_of_too_many_folders_is_refused(
    look: Look, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.git.budget.MAX_PATHS", 6)
    allowed = repository.push({f"{number}/pipeline-spec.yaml": "" for number in range(3)})
    refused = repository.push({"3/pipeline-spec.yaml": ""})
    assert len(look().read_below(allowed, "", is_spec, 9)) == 3
    reader = look()
    with pytest.raises(DppctlError, match="there are more than 6 files and folders; make the app's folder smaller"):
        reader.read_below(refused, "", is_spec, 9)


def test_a_person_names_a_branch_a_tag_or_a_commit_that_one_of_them_holds(look: Look, repository: Repository) -> None:
    first = repository.push({"a": "1"})
    repository.tag("both")
    repository.tag("v1")
    gone = repository.push({"a": "2"}, branch="both")
    reader = look()
    assert reader.resolve("v1").name == reader.resolve("refs/tags/v1").name == "refs/tags/v1"
    assert reader.resolve(first[:8]).commit == reader.resolve("master").commit == first
    with pytest.raises(DppctlError, match="both is a branch and a tag; say refs/heads/both or refs/tags/both"):
        reader.resolve("both")
    assert reader.resolve(gone).commit == gone
    repository.git("push", "--quiet", "origin", "--delete", "refs/heads/both")
    reader = look()
    for name in (gone, "v2", "HEAD", "--all", "master^", "0" * 40, ""):
        with pytest.raises(DppctlError, match="there is no branch, tag or commit"):
            reader.resolve(name)


def test_a_folder_has_the_same_tree_as_long_as_nothing_below_it_changes(look: Look, repository: Repository) -> None:
    first = repository.push({"app/a": "1"})
    second = repository.push({"b": "1"})
    third = repository.push({"app/a": "2"})
    reader = look()
    trees = reader.trees([first, second, third, "0" * 40], "app")
    assert trees[first] == trees[second] != trees[third]
    assert (trees["0" * 40], reader.trees([first], "none")) == (None, {first: None})
    assert reader.trees([first], "")[first] != reader.trees([second], "")[second]


def test_a_commit_is_held_by_those_after_it(look: Look, repository: Repository) -> None:
    first = repository.push({"a": "1"}, message="one")
    second = repository.push({"a": "2"}, message="two\n\nlines")
    reader = look()
    assert reader.message(second) == "two\n\nlines\n"
    assert (reader.holds(first, second), reader.holds(second, first)) == (True, False)
    assert not reader.holds("0" * 40, second)


def test_a_look_leaves_no_process_and_no_open_file(mirror: Mirror, bot_git: Git, repository: Repository) -> None:
    commit = repository.push({"a": "1", "pipeline-spec.yaml": "1" * 9999})
    mirror.refresh()
    before = sorted(os.listdir("/proc/self/fd"))
    calls = bot_git.calls
    for _ in range(100):
        with mirror.open() as reader:
            reader.refs()
            reader.trees([commit], "")
            with pytest.raises(DppctlError, match="larger"):
                reader.read_below(commit, "", is_spec, 9)
    assert sorted(os.listdir("/proc/self/fd")) == before
    assert processes_with(str(mirror.folder)) == []
    assert not any(_children())
    assert bot_git.calls - calls == 100


def test_a_look_starts_one_git_that_reads(mirror: Mirror, bot_git: Git, repository: Repository) -> None:
    commit = repository.push({"a": "1", "x/pipeline-spec.yaml": ""})
    mirror.refresh()
    calls = bot_git.calls
    with mirror.open() as reader:
        reader.refs()
        reader.read([(commit, "a"), (commit, "b")], 9)
        reader.read_below(commit, "", is_spec, 9)
        reader.message(commit)
        reader.trees([commit], "x")
        reader.entries(commit, ["a", "x"])
    assert bot_git.calls - calls == 1


def test_a_git_that_ends_while_it_is_read_fails_the_look_and_not_the_next(
    mirror: Mirror, repository: Repository, bot_git: Git
) -> None:
    commit = repository.push({"a": "1"})
    mirror.refresh()
    with mirror.open() as reader:
        reader.message(commit)
        (child,) = _children()
        os.kill(child, signal.SIGKILL)
        with pytest.raises(TransientGitError, match="git cat-file: "):
            reader.read([(commit, "a")], 9)
        assert bot_git.errors == 1
        assert reader.read([(commit, "a")], 9) == {(commit, "a"): b"1"}


def test_a_git_that_hangs_while_it_is_read_is_ended_in_time(
    mirror: Mirror, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = repository.push({"a": "1"})
    mirror.refresh()
    monkeypatch.setattr(command, "GIT_SECONDS", 0.2)
    monkeypatch.setattr(command, "GIT_END_SECONDS", 0.2)
    with mirror.open() as reader:
        reader.message(commit)
        (child,) = _children()
        os.kill(child, signal.SIGSTOP)
        with pytest.raises(TransientGitError, match=r"git cat-file: no answer within 0.2 seconds"):
            reader.read([(commit, "a")], 9)
    assert not any(_children())


def test_closing_ends_what_reads(mirror: Mirror, repository: Repository, bot_git: Git) -> None:
    commit = repository.push({"a": "1"})
    mirror.refresh()
    with mirror.open() as reader:
        reader.message(commit)
        bot_git.close()
        with pytest.raises(TransientGitError):
            reader.read([(commit, "a")], 9)
        with pytest.raises(TransientGitError, match="stopped"):
            reader.read([(commit, "a")], 9)
    assert not any(_children())


def test_what_reads_knows_nothing_of_this_process_and_of_the_machines_git(
    mirror: Mirror, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = repository.push({"a": "1"})
    mirror.refresh()
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))  # as inside a hook
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    monkeypatch.setenv("DPPCTL_GITHUB_TOKEN", "t0ken")
    with mirror.open() as reader:
        assert reader.message(commit) == "change\n"
        (child,) = _children()
        variables = Path(f"/proc/{child}/environ").read_bytes().split(b"\0")
        assert Path(f"/proc/{child}/cmdline").read_bytes() == b"git\0cat-file\0--batch\0"
    assert b"GIT_CONFIG_GLOBAL=/dev/null" in variables
    assert f"GIT_DIR={mirror.folder}".encode() in variables
    assert not any(line.startswith((b"GIT_INDEX", b"GIT_PYTHON", b"DPPCTL_")) for line in variables)


def test_a_tag_of_a_large_file_is_not_in_the_way(look: Look, repository: Repository) -> None:
    commit = repository.push({"large": "1" * (2**20 + 1)})
    repository.git("push", "--quiet", "origin", f"{repository.git('rev-parse', 'HEAD:large')}:refs/tags/large")
    reader = look()
    assert reader.left_out() == {"refs/tags/large": "it names a blob, and only a commit can be deployed"}
    assert reader.entries(commit, ["large"])["large"] == ("blob", repository.git("rev-parse", "HEAD:large"))


def test_a_message_has_a_limit_too(look: Look, repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = repository.push({"a": "1"}, message="long" * 99)
    reader = look()
    monkeypatch.setattr("bot.git.reader.PASSING_BYTES", 100)
    with pytest.raises(DppctlError, match="larger than"):
        reader.message(commit)


def _children() -> list[int]:
    """Return the processes that this one started and that have not ended."""
    found = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return [int(pid) for pid in found if b"git" in Path(f"/proc/{pid}/cmdline").read_bytes()]
