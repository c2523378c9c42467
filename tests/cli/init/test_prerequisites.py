"""What a newcomer's machine, folder and GitHub lack, all of it in one list."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from click.testing import CliRunner
from keyring.backends.fail import Keyring as NoKeyring

from cli.commands.up import up
from cli.init.command import init
from cli.prerequisites.machine import OLDEST_PYTHON
from tests.support.environment import REPOSITORY
from tests.support.forge import git
from tests.support.github.fake import FakeGitHub
from tests.support.stories.person import Person


@pytest.fixture
def newcomer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An old Python, no git, no uv, no keyring, a folder that cannot be written to, a clone without a remote."""
    app = tmp_path / "app"
    app.mkdir()
    git(app, "init", "--quiet")
    (tmp_path / "file").touch()
    kept = keyring.get_keyring()
    keyring.set_keyring(NoKeyring())
    monkeypatch.setenv("DPPCTL_KEYRING", "dppctl")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "uv", None)
    monkeypatch.setattr("cli.prerequisites.machine.sys.version_info", (3, 10, 4, "final", 0))
    yield tmp_path
    keyring.set_keyring(kept)


def test_one_run_lists_all_that_is_missing(newcomer: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config = newcomer / "file" / "servers"
        machine = (
            "this is Python 3.10.4, and dppctl needs 3.11.4 or newer\n    install dppctl with a newer one",
            "git: this program is not on PATH\n    install it (the package is called git)",
            "the system's keyring, and this system has none\n    take it out of",
        )
        monkeypatch.setenv("DPPCTL_GITHUB_API_URL", f"http://127.0.0.1:{_closed_port()}")
        said = refused(init, "--yes", "--folder", str(newcomer / "app"), "--config", str(config))
        for line in (
            *machine,
            f"{config}: {newcomer / 'file'} is no folder",
            "the repository has no remote `origin`; add it (git remote add origin URL)",
            "cannot be reached (ConnectionError); is there a network?",
            "GitHub Auth Token: nobody is asked with --yes\n    make a token at https://github.com/settings/personal-a",
        ):
            assert line in said, line
        assert said.startswith("7 things are missing or wrong, and nothing was changed:\n")

        monkeypatch.setattr("cli.prerequisites.servers.BIND_SECONDS", 0.0)
        monkeypatch.setenv("DPPCTL_PORT", str(port))
        monkeypatch.setenv("DPPCTL_STORAGE_PORT", "0")
        without_uv = "uv, which makes dpp's environment, is not there\n    install it beside dppctl: pip install uv"
        in_use = f"DPPCTL_PORT: port {port} of 127.0.0.1 cannot be used: Address already in use\n    end what uses it"
        said = refused(init, "--local", str(newcomer / "app"), "--config", str(config))
        for line in (*machine, without_uv, in_use, f"{config}: {newcomer / 'file'} is no folder"):
            assert line in said, line
        (newcomer / "apps.yaml").write_text("apps: []\n")
        monkeypatch.setenv("DPPCTL_STATE_DIR", str(newcomer / "file" / "state"))
        said = refused(up, "--config", str(newcomer))
        for line in (*machine, without_uv, in_use, "/file/state: ", "(DPPCTL_STATE_DIR)"):
            assert line in said, line
    assert sorted(path.name for path in (newcomer / "app").iterdir()) == [".git"]


def test_what_git_and_the_tokens_lack_is_in_the_list(
    github: FakeGitHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = Person(github, tmp_path)
    github.user("weak", "classic", scopes=["gist"])
    (tmp_path / "git").write_text("#!/bin/sh\necho git version 2.30.2\n")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("DPPCTL_OWNER_TOKEN", "wrong")
    said = refused(
        *(init, "--yes", "--folder", str(ann.app), "--config", str(ann.config), "--env-file", "--branch", "feat*"),
        DPPCTL_GITHUB_TOKEN="classic",
    )
    for line in (
        f"{tmp_path / 'git'} is git 2.30.2, and dppctl needs 2.32 or newer",
        "GitHub does not accept the owner's token (--owner-token-file, DPPCTL_OWNER_TOKEN)",
        "the token of weak lacks the scope `repo` (it has: gist); make one that has it",
        "branch feat* is a pattern",
    ):
        assert line in said, line
    assert github.writes == []


def test_a_remote_that_leads_elsewhere_is_said(github: FakeGitHub, tmp_path: Path) -> None:
    ann = Person(github, tmp_path)
    for url, leads in (("git@gitlab.com:ann/data.git", "gitlab.com"), ("/srv/ann/data.git", "/srv/ann/data.git")):
        git(ann.app, "remote", "set-url", "origin", url)
        said = f"{ann.init().exception}"
        assert f"the remote `origin` leads to {leads}, and not to 127.0.0.1" in said
        assert "GitHub Auth Token: is asked for\n    make a token at" in said
    git(ann.app, "remote", "set-url", "origin", "git@my-name-for-it:ann/data.git")
    assert ann.init("--yes", "--dry-run", token="its").exit_code == 0


def test_an_older_python_hears_it_before_anything_breaks() -> None:
    program = "import sys; sys.version_info = (3, 10, 4); sys.version = '3.10.4 (main)'; import cli"
    ended = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr.partition("; this is")[0]) == (2, "dppctl needs Python 3.11.4 or newer")
    assert "3.10.4" in ended.stderr
    oldest = ".".join(map(str, OLDEST_PYTHON))
    for file in ("Makefile", "pyproject.toml", "cli/__init__.py"):
        text = (REPOSITORY / file).read_text()
        assert f"dppctl needs Python {oldest} or newer" in text or f'requires-python = ">={oldest}"' in text, file


def refused(command, *arguments: str, **environment: str) -> str:
    done = CliRunner(env=environment).invoke(command, arguments)
    assert done.exception is not None, done.output
    return str(done.exception)


def _closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port
