"""A clone that git does not read, such as one of another user's, is not taken for a folder without git."""

from pathlib import Path

import pytest

from tests.support.command import dppctl_in
from tests.support.forge import git
from tests.support.workloads import write_files

pytestmark = pytest.mark.slow  # it starts the command for each test


@pytest.mark.parametrize("command", ["init --local", "init --yes", "check", "build"])
def test_why_is_said_and_nothing_is_made(tmp_path: Path, command: str) -> None:
    app = write_files(tmp_path / "app", {"pipeline-spec.yaml": "one:\n  pipeline: []\n"})
    git(app, "init", "--quiet")
    (app / ".git" / "config").write_text("[core\n")
    before = sorted(app.rglob("*"))
    config = ["--config", str(tmp_path / "servers")] if command.startswith("init") else []
    ended = dppctl_in(tmp_path / "data")(*command.split(), *config, cwd=app)
    assert ended.returncode in (1, 2)
    assert "bad config line 1 in file" in ended.stderr
    assert "git init" not in ended.stderr
    assert "--branch" not in ended.stderr
    assert sorted(app.rglob("*")) == before
    assert not (tmp_path / "servers").exists()
