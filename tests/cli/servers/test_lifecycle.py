"""What servers say when they start."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bot.errors import DppctlError
from cli.servers.lifecycle import set_up
from tests.support.environment import REPOSITORY
from tests.support.small_disk import small_disk
from tests.support.workloads import write_files

pytestmark = pytest.mark.slow  # it starts the command or a server for each test

SET_UP = "import sys, pathlib; from cli.servers.lifecycle import set_up; set_up(pathlib.Path(sys.argv[1]))"


def test_a_misspelt_variable_and_secrets_that_others_can_read_are_a_line_each_at_the_start(tmp_path: Path) -> None:
    env = "DPPCTL_WEBHOOK_SECRETS=hush\nDPPCTL_REGISTRI=hush.example.org\n"
    write_files(tmp_path, {"apps.yaml": "apps: []\n", ".env": env})
    (tmp_path / ".env").chmod(0o640)
    done = subprocess.run(
        [sys.executable, "-c", SET_UP, str(tmp_path)],
        cwd=REPOSITORY,
        env=os.environ | {"DPPCTL_CACHE_DIR": "of another part"},
        capture_output=True,
        text=True,
        check=True,
    )
    misspelt, readable = done.stderr.splitlines()
    assert "DPPCTL_REGISTRI (did you mean DPPCTL_REGISTRY?)" in misspelt
    assert f'mode=040 repair="chmod 600 {tmp_path}/.env"' in readable
    assert "hush" not in done.stderr


def start(config: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "cli.main", "receive", "--config", str(config)]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "DPPCTL_PORT": "0"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize(
    ("file", "content", "told"),
    [
        (".env", b"DPPCTL_WEBHOOK_SECRETS=hush\nX=\xff\n", ".env:2: not UTF-8; save the file in that encoding"),
        ("apps.yaml", b"apps: []\n# caf\xe9\n", "apps.yaml:2: not UTF-8; save the file in that encoding"),
        ("state", b"", "state: File exists; servers keep their state there (DPPCTL_STATE_DIR)"),
    ],
)
def test_what_cannot_be_used_is_one_line(tmp_path: Path, file: str, content: bytes, told: str) -> None:
    write_files(tmp_path, {"apps.yaml": "apps: []\n", ".env": "DPPCTL_WEBHOOK_SECRETS=hush\n"})
    (tmp_path / ".env").chmod(0o600)
    (tmp_path / file).write_bytes(content)
    with pytest.raises(DppctlError) as raised:
        set_up(tmp_path)
    assert str(raised.value) == f"{tmp_path}/{told}"


@pytest.mark.needs("root")
def test_a_state_that_is_read_only_is_one_line(tmp_path: Path) -> None:
    write_files(tmp_path, {"apps.yaml": "apps: []\n", ".env": "DPPCTL_WEBHOOK_SECRETS=hush\n"})
    (tmp_path / ".env").chmod(0o600)
    with small_disk(tmp_path / "state", 64) as disk:
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        done = start(tmp_path)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"dppctl: {disk}")
    assert "Read-only file system" in line
