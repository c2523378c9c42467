"""`dppctl init --local`, on folders as people have them."""

import json
import socket
import subprocess
from pathlib import Path

import pytest

from cli.init.local.flow import _free_port
from tests.support.builders import free_port
from tests.support.command import Dppctl, dppctl_in
from tests.support.environment import REPOSITORY
from tests.support.forge import git
from tests.support.up import Up
from tests.support.waiting import eventually
from tests.support.workloads import write_files

SPEC = """\
numbers:
  pipeline:
  - run: load
    parameters: {from: numbers.csv, name: numbers}
  - run: set_types
    parameters: {types: {number: {type: integer}}}
  - run: dump.to_sql
    parameters:
      engine: env://DPP_DB_ENGINE
      tables: {numbers: {resource-name: numbers, mode: rewrite}}
"""


def init(dppctl: Dppctl, folder: Path, config: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return dppctl("init", "--local", str(folder), "--config", str(config), *options, cwd=folder)


@pytest.fixture
def app(tmp_path: Path) -> Path:
    folder = tmp_path / "My data"
    folder.mkdir()
    (folder / "pipeline-spec.yaml").write_text(SPEC)
    (folder / "numbers.csv").write_text("number\n1\n2\n")
    return folder


@pytest.mark.needs("dpp")
@pytest.mark.slow
def test_from_a_folder_to_rows_after_a_push(tmp_path: Path, app: Path) -> None:
    """What a newcomer types: init, up, commit, push."""
    dppctl, config = dppctl_in(tmp_path / "data"), tmp_path / "servers"
    write_files(config, {".env": f"DPPCTL_PORT={free_port()}\nDPPCTL_STORAGE_PORT=0\n"}).joinpath(".env").chmod(0o600)
    done = init(dppctl, app, config, "--repo", "ann/numbers")
    assert done.returncode == 0, done.stderr
    assert "git push origin master" in done.stdout
    assert (config / ".env").stat().st_mode & 0o777 == 0o600
    assert (config / "webhook-secret").stat().st_mode & 0o777 == 0o600
    with (config / ".env").open("a") as settings:
        settings.write(f"DPPCTL_STATE_DIR='{tmp_path / 'state'}'\n")
    up = Up(config)
    try:
        up.address(120)
        git(app, "add", "--all")
        git(app, "commit", "--quiet", "--message", "Numbers")
        pushed = subprocess.run(
            ["git", "push", "origin", "master"], cwd=app, capture_output=True, text=True, check=True
        )
        assert "dppctl: refs/heads/master: 202" in pushed.stderr

        def rows() -> object:
            listed = dppctl("list", "deployments", "--config", str(config), "-o", "json")
            found = json.loads(listed.stdout)
            return found and found[0]["state"] in ("succeeded", "failed") and found[0]

        deployed = eventually(rows, "the push is deployed")
        assert isinstance(deployed, dict)
        assert (deployed["state"], deployed["environment"], deployed["rows"]) == ("succeeded", "staging", 2)
    finally:
        up.kill()


def test_a_port_is_taken_that_is_free_and_so_is_the_one_after_it() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        before = taken.getsockname()[1] - 1
        found = _free_port(before)
        assert found != before
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", found))
            second.bind(("127.0.0.1", found + 1))


def test_again_changes_nothing_and_a_dry_run_never_does(app: Path, tmp_path: Path, dppctl: Dppctl) -> None:
    config = tmp_path / "servers"
    dry = init(dppctl, app, config, "--dry-run")
    assert (dry.returncode, "  would    " in dry.stdout) == (0, True), dry.stderr
    assert "then: git config --global user.name" not in dry.stdout
    nobody = dppctl(
        *("init", "--local", str(app), "--config", str(config), "--dry-run"),
        **dict.fromkeys(("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "EMAIL"), ""),
        GIT_CONFIG_COUNT="1",
        GIT_CONFIG_KEY_0="user.useConfigOnly",
        GIT_CONFIG_VALUE_0="true",
        GIT_CONFIG_GLOBAL="/dev/null",
        GIT_CONFIG_SYSTEM="/dev/null",
    )
    assert "then: git config --global user.name" in nobody.stdout, nobody.stderr
    assert not config.exists()
    assert not (app / ".git").exists()
    assert init(dppctl, app, config).returncode == 0
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    again = init(dppctl, app, config)
    assert (again.returncode, "  done     " in again.stdout) == (0, False), again.stdout
    assert {path: path.read_bytes() for path in before} == before


def test_what_exists_is_taken_as_it_is(app: Path, tmp_path: Path, dppctl: Dppctl) -> None:
    """A clone with a branch of its own, whose origin is a bare repository here; the app is a folder of it."""
    bare = tmp_path / "srv" / "team" / "data.git"
    bare.mkdir(parents=True)
    git(bare, "init", "--quiet", "--bare")
    clone = tmp_path / "clone"
    clone.mkdir()
    git(clone, "init", "--quiet", "--initial-branch=main")
    git(clone, "remote", "add", "origin", str(bare))
    folder = clone / "pipelines"
    app.rename(folder)
    config = tmp_path / "servers"
    done = init(dppctl, folder, config)
    assert done.returncode == 0, done.stderr
    text = (folder / ".dppctl.yaml").read_text()
    assert "appRepoPath: team/data/pipelines" in text
    assert "branch: main" in text
    assert (tmp_path / "srv" / "team" / "data-ops.git").is_dir()
    assert "git push origin main" in done.stdout


def test_a_remote_elsewhere_stays_and_another_is_added(app: Path, tmp_path: Path, dppctl: Dppctl) -> None:
    git(app, "init", "--quiet", "--initial-branch=master")
    git(app, "remote", "add", "origin", "https://github.com/ann/data.git")
    done = init(dppctl, app, tmp_path / "servers")
    assert done.returncode == 0, done.stderr
    assert "git push dppctl master" in done.stdout
    assert git(app, "config", "remote.origin.url") == "https://github.com/ann/data.git"


def test_a_second_app_is_beside_the_first(app: Path, tmp_path: Path, dppctl: Dppctl) -> None:
    config, other = tmp_path / "servers", tmp_path / "other"
    other.mkdir()
    (other / "pipeline-spec.yaml").write_text(SPEC)
    assert init(dppctl, app, config, "--repo", "ann/one").returncode == 0
    secret = (config / "webhook-secret").read_text()
    assert init(dppctl, other, config, "--repo", "ann/two").returncode == 0
    assert (config / "webhook-secret").read_text() == secret
    listed = dppctl("list", "apps", "--config", str(config), "-o", "name")
    assert listed.stdout.split() == ["ann/one", "ann/two"]
    gone = init(dppctl, app, config, "--repo", "ann/one", "--remove")
    assert gone.returncode == 0, gone.stderr
    assert dppctl("list", "apps", "--config", str(config), "-o", "name").stdout.split() == ["ann/two"]
    assert not (config / "git" / "ann" / "one.git" / "hooks" / "post-receive").exists()
    assert (config / "git" / "ann" / "two.git" / "hooks" / "post-receive").exists()


def test_what_does_not_fit_is_one_line(app: Path, tmp_path: Path, dppctl: Dppctl) -> None:
    config = tmp_path / "servers"
    config.mkdir()
    (config / ".env").write_text("DPPCTL_GITHUB_URL=https://github.com\n")
    done = init(dppctl, app, config)
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        "take repositories from https://github.com; for local ones name another folder: --config FOLDER" in done.stderr
    )
    (config / ".env").unlink()
    hook = config / "git" / "ann" / "data.git" / "hooks" / "post-receive"
    git(tmp_path, "init", "--quiet", "--bare", str(hook.parents[1]))
    hook.write_text("#!/bin/sh\necho mine\n")
    done = init(dppctl, app, config, "--repo", "ann/data")
    assert done.returncode == 2
    assert "is a hook of yours; call " in done.stderr
    assert hook.read_text() == "#!/bin/sh\necho mine\n"
    done = dppctl("init", "gcloud", "--local", str(app))
    assert "--local is this machine, and gcloud is another place" in done.stderr
    assert str(REPOSITORY) not in done.stderr
