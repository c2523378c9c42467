"""Which folder the commands take when none is named."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from bot.errors import DppctlError
from bot.store.store import Store
from cli.config_option import servers_folder
from cli.home_folder import home_folder
from cli.main import dppctl
from tests.support.forge import git
from tests.support.workloads import write_files

# The commands that look into the store.
READING = (["list", "deployments"], ["list", "deliveries"], ["logs", "1"], ["deploy", "ann/app", "staging"])


def refused(folder: Path, *arguments: str) -> str:
    """Run a command on a folder; return the one line that it refuses with."""
    done = CliRunner().invoke(dppctl, [*arguments, "--config", str(folder)])
    assert done.exit_code != 0
    said = str(done.exception) if isinstance(done.exception, DppctlError) else done.output
    assert said.strip().count("\n") == 0
    return said


@pytest.mark.parametrize("command", [*READING, ["up"], ["bot"], ["receive"], ["sync"]])
def test_with_nothing_set_up_the_missing_folder_is_told_and_what_makes_it(tmp_path: Path, command: list[str]) -> None:
    assert f"{tmp_path} is no folder of dppctl's servers: it has no apps.yaml, which" in refused(tmp_path, *command)
    assert "`dppctl init` makes one; --config names another" in refused(tmp_path, *command)


@pytest.mark.parametrize("command", READING)
def test_before_the_servers_ran_that_is_told(tmp_path: Path, command: list[str]) -> None:
    write_files(tmp_path, {"apps.yaml": "apps: []"})
    assert f"{tmp_path / 'state'}: not there; has `dppctl up` run" in refused(tmp_path, *command)


def test_reading_needs_no_webhook_secret_and_no_registration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path}/store.sqlite"
    Store(url).close()
    monkeypatch.setenv("DPPCTL_DATABASE_URL", url)
    for kind in ("deployments", "deliveries"):
        done = CliRunner().invoke(dppctl, ["list", kind, "--config", str(tmp_path)])
        assert (done.exit_code, done.output) == (0, "[]\n")
    assert "there is no deployment 1" in refused(tmp_path, "logs", "1")


def test_init_where_repositories_are_in_a_folder_says_that_it_needs_a_github(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files(tmp_path, {".env": f"DPPCTL_GITHUB_URL={tmp_path.as_uri()}\n"})
    git(tmp_path, "init", "--quiet", "app")
    git(tmp_path / "app", "remote", "add", "origin", f"{tmp_path.as_uri()}/ann/app.git")
    monkeypatch.chdir(tmp_path / "app")
    said = refused(tmp_path, "init")
    assert f"DPPCTL_GITHUB_URL is {tmp_path.as_uri()}: there is nobody to sign up and no webhook to set" in said
    assert "Sign up" not in said


def test_this_folder_wins_then_the_one_that_init_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert servers_folder() == Path()
    home_folder().mkdir(parents=True)
    assert servers_folder() == Path()
    (home_folder() / "apps.yaml").touch()
    assert servers_folder() == home_folder()
    assert tmp_path in home_folder().parents
    Path("apps.yaml").touch()
    assert servers_folder() == Path()
