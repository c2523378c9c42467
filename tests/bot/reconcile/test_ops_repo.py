from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.errors import DppctlError
from bot.git.command import Git
from bot.git.errors import TransientGitError
from bot.model.decisions import Update
from bot.model.names import RepoPath
from bot.model.registration import Target
from bot.model.trailers import read_deliveries, write_trailers
from bot.model.values import Pipeline, Source, Values
from bot.reconcile.ops_repo import OpsRepo
from bot.settings import Settings
from tests.support.forge import Forge, Repository, git

FILE = "here/environments/staging/values.auto-updated.yaml"


@pytest.fixture
def repository(forge: Forge) -> Repository:
    return forge.repository("ann/ops")


@pytest.fixture
def ops(bot_git: Git, settings: Settings, repository: Repository, tmp_path: Path) -> OpsRepo:
    return OpsRepo(bot_git, settings.github.repository_url(repository.name), tmp_path / "ops")


def update(commit: str = "a", environment: str = "staging") -> Update:
    source = Source(repository="ann/app", path="", ref="refs/heads/master", commit=commit * 40)
    values = Values(image=None, source=source, pipelines=(Pipeline(id="./one"),))
    return Update(Target(RepoPath("ann/app"), RepoPath("ann/ops", "here"), environment), values)


def test_an_update_is_one_commit_with_trailers(ops: OpsRepo, repository: Repository) -> None:
    repository.push({"here/environments/staging/values.yaml": "people: write this\n"})
    ((target, commit),) = ops.write([update()]).items()
    assert target == update().target
    assert repository.file(FILE) == update().values.to_yaml().strip()
    assert repository.file("here/environments/staging/values.yaml") == "people: write this"
    body = git(repository.bare, "show", "--no-patch", "--format=%H %an%n%(trailers)", "master")
    assert body.splitlines() == [
        f"{commit} dppctl",
        "Dppctl-App: ann/app",
        "Dppctl-Environment: staging",
        "Dppctl-Source-Ref: refs/heads/master",
        f"Dppctl-Source-Commit: {'a' * 40}",
        "Dppctl-Image: none",
    ]
    ops.refresh()
    assert ops.texts([target]) == {target: update().values.to_yaml()}
    assert ops.last_change(target) == commit


def test_a_commit_names_the_deliveries_that_it_was_made_for(ops: OpsRepo, repository: Repository) -> None:
    ops.write([replace(update(), deliveries=("d-1", "d-2"))])
    message = git(repository.bare, "show", "--no-patch", "--format=%B", "master")
    assert "Dppctl-Image: none\nDppctl-Delivery: d-1\nDppctl-Delivery: d-2" in message
    assert read_deliveries(message) == ["d-1", "d-2"]
    assert [written.environment for written in ops.written()] == ["staging"]


def test_of_a_burst_the_newest_deliveries_are_named_and_no_other_text_is_one() -> None:
    trailers = write_trailers(replace(update(), deliveries=tuple(f"d-{number}" for number in range(100))))
    assert read_deliveries(trailers) == [f"d-{number}" for number in range(80, 100)]
    assert read_deliveries("Dppctl-Delivery: a b\nabout Dppctl-Delivery: c\nDppctl-Delivery: \x1b[2J") == []


def test_no_change_is_no_commit(ops: OpsRepo, repository: Repository) -> None:
    repository.push({"README.md": ""})
    assert len(ops.write([update()])) == 1
    assert ops.write([update()]) == {}
    assert len(repository.log()) == 2


def test_what_waits_goes_out_in_one_push(ops: OpsRepo, repository: Repository) -> None:
    repository.push({"README.md": ""})
    git(repository.bare, "config", "core.logAllRefUpdates", "always")
    assert len(ops.write([update(environment=f"e{number}") for number in range(3)])) == 3
    assert len(repository.log()) == 4
    assert len((repository.bare / "logs/refs/heads/master").read_text().splitlines()) == 1


def test_an_empty_ops_repo_gets_its_first_commit(ops: OpsRepo, repository: Repository) -> None:
    ops.write([update()])
    assert repository.file(FILE) == update().values.to_yaml().strip()


def test_a_branch_that_is_gone_is_not_begun_anew(ops: OpsRepo, repository: Repository) -> None:
    repository.push({"here/environments/staging/values.yaml": "people: write this\n"})
    repository.git("push", "--quiet", "origin", "HEAD:refs/heads/other")
    ops.write([update()])
    ops.refresh()
    head = git(repository.bare, "rev-parse", "master")
    git(repository.bare, "update-ref", "-d", "refs/heads/master")
    for _ in range(2):
        with pytest.raises(TransientGitError, match="the default branch, master, is not there any more"):
            ops.refresh()
    git(repository.bare, "update-ref", "refs/heads/master", head)
    ops.refresh()
    assert ops.texts([update().target]) == {update().target: update().values.to_yaml()}


@pytest.mark.parametrize("others", [False, True])
def test_an_ops_repo_whose_head_is_another_branch_gets_that_one(
    ops: OpsRepo, repository: Repository, *, others: bool
) -> None:
    (repository.bare / "HEAD").write_text("ref: refs/heads/main\n")
    if others:
        repository.push({"README.md": ""}, branch="drafts")
    ops.refresh()
    commit = ops.write([update()])[update().target]
    names = git(repository.bare, "for-each-ref", "--format=%(refname:short)").split()
    assert names == (["drafts", "main"] if others else ["main"])
    assert ops.head == commit == git(repository.bare, "rev-parse", "main")
    ops.refresh()
    assert ops.head == commit
    assert len(ops.write([update("b")])) == 1
    assert git(repository.bare, "rev-list", "--count", "main") == "2"


def test_an_environment_that_is_another_apps_now_was_written_by_the_bot_all_the_same(
    ops: OpsRepo, repository: Repository
) -> None:
    ops.write([update()])
    target = replace(update().target, app=RepoPath("ann/renamed"))
    assert ops.foreign_change(target) is None
    repository.pull()
    repository.push({FILE: "{ not ours"}, message="oops")
    ops.refresh()
    change = ops.foreign_change(target)
    assert change
    assert (change.author, change.subject) == ("ann@example.org", "oops")


def test_a_push_between_fetch_and_push_survives(settings: Settings, repository: Repository, tmp_path: Path) -> None:
    repository.push({"README.md": "first"}, message="start")

    class OvertakenGit(Git):
        def run(self, folder: Path, *arguments: str, **options: Any) -> bytes:
            if arguments[0] == "push" and len(repository.log()) < 3:
                repository.push({"README.md": str(repository.log())}, message="theirs")
            return super().run(folder, *arguments, **options)

    ops = OpsRepo(OvertakenGit(settings), settings.github.repository_url(repository.name), tmp_path / "ops")
    ops.write([update()])
    assert repository.log() == [f"Deploy ann/app master ({'a' * 12}) to staging", "theirs", "theirs", "start"]


def test_a_push_that_wins_the_ref_while_ours_is_taken_in_survives(ops: OpsRepo, repository: Repository) -> None:
    repository.push({"README.md": "first"}, message="start")
    hook = repository.bare / "hooks" / "update"
    hook.write_text(
        "#!/bin/sh\n"
        "export GIT_AUTHOR_NAME=x GIT_AUTHOR_EMAIL=x GIT_COMMITTER_NAME=x GIT_COMMITTER_EMAIL=x\n"
        'test "$(git rev-list --count master)" -ge 3 ||\n'
        "git update-ref refs/heads/master $(git commit-tree -p master -m theirs 'master^{tree}')\n"
    )
    hook.chmod(0o755)
    ops.write([update()])
    assert repository.log() == [f"Deploy ann/app master ({'a' * 12}) to staging", "theirs", "theirs", "start"]


def test_a_link_in_the_repo_leads_nowhere_and_holds_up_nobody_else(
    ops: OpsRepo, repository: Repository, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (repository.work / "here/environments").mkdir(parents=True)
    (repository.work / "here/environments/staging").symlink_to(outside)
    repository.push({"README.md": ""})
    blocked, written = ops.write([update(), update(environment="production")]).values()
    assert isinstance(blocked, DppctlError)
    assert "a folder above here/environments/staging/values.auto-updated.yaml is a link" in str(blocked)
    assert list(outside.iterdir()) == []
    assert git(repository.bare, "rev-parse", "master") == written
    assert len(repository.log()) == 2


def test_a_folder_where_the_file_should_be_is_left_alone(ops: OpsRepo, repository: Repository) -> None:
    repository.push({f"{FILE}/note.txt": "mine"})
    (blocked,) = ops.write([update()]).values()
    assert f"{FILE} is a folder" in str(blocked)
    assert repository.file(f"{FILE}/note.txt") == "mine"


def test_a_values_file_that_is_a_link_becomes_a_file(ops: OpsRepo, repository: Repository) -> None:
    place = repository.work / FILE
    place.parent.mkdir(parents=True)
    place.symlink_to("../../../README.md")
    repository.push({"README.md": "theirs"})
    ops.write([update()])
    assert repository.file(FILE) == update().values.to_yaml().strip()
    assert repository.file("README.md") == "theirs"
    assert git(repository.bare, "ls-tree", "master", FILE).startswith("100644 blob")


def test_an_own_push_needs_no_fetch(ops: OpsRepo, repository: Repository, tmp_path: Path) -> None:
    repository.push({"README.md": ""})
    ops.write([update()])
    fetched = (tmp_path / "ops" / "FETCH_HEAD").stat().st_mtime_ns
    ops.refresh()
    ops.write([update("b")])
    assert (tmp_path / "ops" / "FETCH_HEAD").stat().st_mtime_ns == fetched
    assert len(repository.log()) == 3


def test_a_file_that_somebody_spoilt_is_written_again(ops: OpsRepo, repository: Repository) -> None:
    repository.push({FILE: "{ not ours"})
    ops.write([update()])
    assert repository.file(FILE) == update().values.to_yaml().strip()
