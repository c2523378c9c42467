"""A machine without git: every command that needs it says so in one line. And a process that git itself started."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command import dppctl_in
from tests.support.environment import REPOSITORY
from tests.support.workloads import write_files

pytestmark = pytest.mark.slow  # it starts the command or a server for each test

SERVERS = {
    "apps.yaml": "apps:\n- {appRepoPath: ann/app, opsRepoPath: ann/ops, environments: [staging]}\n",
    ".env": "DPPCTL_WEBHOOK_SECRETS=secret\nDPPCTL_SYNC_TOKEN=s3cret\nDPPCTL_SYNC_ENVIRONMENTS=a=ns\nDPPCTL_PORT=0\n",
}
COMMANDS = ["build", "up --config servers", "bot --config servers", "sync --config servers --once"]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_needs_git_says_so_in_one_line(command: str, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    dppctl = dppctl_in(tmp_path / "data")
    write_files(tmp_path, {"pipeline-spec.yaml": "one: {}\n", **{f"servers/{name}": SERVERS[name] for name in SERVERS}})
    ended = dppctl(*command.split(), cwd=tmp_path, PATH=str(tmp_path / "bin"))
    assert ended.returncode == 2
    assert ended.stderr.splitlines()[-1].endswith("install it (the package is called git)")
    assert "git: this program is not on PATH" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_what_a_user_says_of_git_stays_and_where_a_hook_runs_is_forgotten() -> None:
    given = {"GIT_SSH_COMMAND": "ssh -v", "GIT_DIR": "/nowhere", "GIT_PYTHON_REFRESH": "raise"}
    program = "import os, bot.git.gitpython as ours; before = dict(os.environ); ours.forget_location()\n"
    program += "print(*(f'{n}={before.get(n)},{os.environ.get(n)}' for n in sys.argv[1:]), sep='\\n')"
    ended = subprocess.run(
        [sys.executable, "-c", f"import sys; {program}", *given],
        env={**os.environ, **given, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.splitlines() == [
        "GIT_SSH_COMMAND=ssh -v,ssh -v",
        "GIT_DIR=/nowhere,None",
        "GIT_PYTHON_REFRESH=raise,raise",
    ]
