"""`dppctl check` as somebody meets it who is about to push."""

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from bot.model.spec_files import is_spec
from tests.support.command import Dppctl
from tests.support.environment import REPOSITORY
from tests.support.forge import APP, Forge, Repository

CONFIG = """\
clusterProvider: local
continuousDeployment:
- appRepoPath: ann/app
  opsRepoPath: ann/ops
  actions:
  - {branch: master, environment: staging}
  - {tags: true, environment: production, pipeline: ./one}
"""
SPEC = "one:\n  pipeline: []\ntwo:\n  schedule: {crontab: '0 6 * * *'}\n  pipeline: []\n"
REGISTRATION = "apps:\n- {appRepoPath: ann/app, opsRepoPath: ann/ops, environments: [staging]}\n"


@pytest.fixture
def app(tmp_path: Path) -> Repository:
    repository = Forge(tmp_path).repository("ann/app")
    repository.push({"pipeline-spec.yaml": SPEC, ".dppctl.yaml": CONFIG})
    return repository


def check(dppctl: Dppctl, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return dppctl("check", *options, cwd=folder)


def test_it_says_what_each_push_would_do(dppctl: Dppctl, app: Repository) -> None:
    done = check(dppctl, app.work)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[:3] == [
        "pipelines: ./one, ./two (0 6 * * *)",
        "a push to master deploys all to staging, by ann/ops",
        "a tag deploys ./one to production, by ann/ops",
    ]
    assert "not checked: whether the app is registered" in done.stdout


def test_each_file_with_a_mistake_is_named_with_its_line(dppctl: Dppctl, app: Repository) -> None:
    (app.work / ".dppctl.yaml").write_text(CONFIG.replace("branch:", "brunch:"))
    (app.work / "a").mkdir()
    (app.work / "a/pipeline-spec.yaml").write_text("x:\n  schedule: {crontab: '0 6 * *'}\n  pipeline: []\n")
    (app.work / "pipeline-spec.yaml").write_text("one:\n  pipeline: []\n1: {}\n")
    done = check(dppctl, app.work)
    assert done.returncode == 1
    wrong = done.stderr.splitlines()
    assert wrong[0] == "problem: .dppctl.yaml:6: unknown key brunch; did you mean branch?"
    assert any(line.startswith("problem: a/pipeline-spec.yaml:2: x: schedule") for line in wrong)
    assert any(line.startswith("problem: pipeline-spec.yaml:3: 1: an id must be text") for line in wrong)
    assert "git add it" in done.stdout  # the new file


def test_what_the_registration_does_not_allow_is_told(dppctl: Dppctl, app: Repository, tmp_path: Path) -> None:
    servers = tmp_path / "servers"
    servers.mkdir()
    (servers / "apps.yaml").write_text(REGISTRATION)
    done = check(dppctl, app.work, "--config", str(servers))
    assert done.returncode == 1
    assert "not registered for production of ann/ops; it may deploy to staging of ann/ops (apps.yaml)" in done.stderr
    (servers / "apps.yaml").write_text("apps: 3\n")
    assert "apps.yaml:1: " in check(dppctl, app.work, "--config", str(servers)).stderr


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (("pipeline: ./one", "pipeline: ./three"), "a tag: ann/app at v1 has no pipeline ./three; it has ./one, ./two"),
        (("ann/app", "ann/other"), ".dppctl.yaml: appRepoPath is ann/other, and this folder is ann/app; write that"),
        (("master", "feature/*"), ".dppctl.yaml:6: "),
    ],
)
def test_what_the_bot_would_refuse_is_a_problem(
    dppctl: Dppctl, app: Repository, change: tuple[str, str], problem: str
) -> None:
    (app.work / ".dppctl.yaml").write_text(CONFIG.replace(*change))
    done = check(dppctl, app.work, "-o", "json")
    assert done.returncode == 1
    assert any(line["kind"] == "problem" and problem in line["text"] for line in json.loads(done.stdout))


def test_a_folder_without_git_is_read_as_it_is(dppctl: Dppctl, tmp_path: Path) -> None:
    folder = tmp_path / "plain"
    folder.mkdir()
    for name, text in APP.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text if isinstance(text, str) else text.decode())
    (folder / ".dppctl.yaml").unlink(missing_ok=True)
    done = check(dppctl, folder)
    assert done.returncode == 0, done.stderr
    assert "note: no .dppctl.yaml, so no push is deployed; dppctl init makes one" in done.stdout


def test_a_link_in_the_place_of_a_file_is_refused(dppctl: Dppctl, app: Repository) -> None:
    (app.work / ".dppctl.yaml").rename(app.work / "there.yaml")
    (app.work / ".dppctl.yaml").symlink_to("there.yaml")
    done = check(dppctl, app.work)
    assert done.returncode == 1
    assert ".dppctl.yaml is a symbolic link, which is not followed" in done.stderr


def test_the_hook_of_pre_commit_is_for_the_files_that_are_checked() -> None:
    """https://pre-commit.com/#creating-new-hooks."""
    [hook] = yaml.safe_load((REPOSITORY / ".pre-commit-hooks.yaml").read_text())
    assert (hook["entry"], hook["pass_filenames"]) == ("dppctl check", False)
    files = re.compile(hook["files"])
    for name in ("pipeline-spec.yaml", "a/x.source-spec.yaml", ".dpp_spec_ignore"):
        assert is_spec(name)
        assert files.search(name)
    assert files.search("deep/.dppctl.yaml")
    assert not any(files.search(name) for name in ("my-pipeline-spec.yaml", "README.md", "x.dppctl.yaml"))


def test_what_an_environment_waits_for_is_said_and_whether_that_is_registered(dppctl: Dppctl, app: Repository) -> None:
    gated = CONFIG.replace("pipeline: ./one", "after: staging")
    (app.work / ".dppctl.yaml").write_text(gated)
    says = "a tag deploys all to production, by ann/ops, once its files have run well in staging"
    assert says in check(dppctl, app.work).stdout
    config = app.work.parent / "config"
    config.mkdir()
    (config / "apps.yaml").write_text(REGISTRATION.replace("staging", "production"))
    done = check(dppctl, app.work, "--config", str(config))
    assert "a tag waits for staging in vain: ann/app is not registered for staging" in done.stderr
    (app.work / ".dppctl.yaml").write_text(gated.replace("after: staging", "after: stage"))
    wrong = check(dppctl, app.work).stderr
    assert ".dppctl.yaml:7: no action deploys ann/app to stage; those of it deploy to staging" in wrong
