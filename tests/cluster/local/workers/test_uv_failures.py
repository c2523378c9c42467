"""uv's failures in one line, from uv itself."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import uv

from cluster.local.workers.uv_failures import ENVIRONMENT, reason


def failure_of(requirement: str, folder: Path) -> str:
    """Return the reason that is read from uv's output when it installs the requirement."""
    (folder / "requirements.txt").write_text(requirement + "\n")
    command = [uv.find_uv_bin(), "--color", "never", "pip", "install", "--dry-run", "--python", sys.executable]
    command += ["--no-build-isolation", "-r", "requirements.txt"]
    ended = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "COLUMNS": "40", **ENVIRONMENT},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert ended.returncode
    return reason(ended.stdout.splitlines(), ended.returncode)


@pytest.mark.parametrize(
    ("requirement", "parts"),
    [
        (
            "votes @ git+file:///nowhere/votes.git",
            ["git+file:///nowhere/votes.git", "fatal: '/nowhere/votes.git' does not"],
        ),
        (
            "votes @ git+http://ada:sekret@127.0.0.1:9/o/votes.git@main",
            ["127.0.0.1:9/o/votes.git@main", "fatal: unable to access", "onnect"],
        ),
        ("./nowhere", ["nowhere", "Distribution not found"]),
    ],
)
def test_what_was_tried_and_what_stopped_it_are_one_line(requirement: str, parts: list[str], tmp_path: Path) -> None:
    told = failure_of(requirement, tmp_path)
    assert all(part in told for part in parts), told
    assert "sekret" not in told
    assert "\n" not in told


def test_a_ref_that_does_not_exist_is_named_with_its_repository(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", str(tmp_path / "votes")], check=True)
    told = failure_of(f"votes @ git+file://{tmp_path}/votes@v9", tmp_path)
    assert f"git+file://{tmp_path}/votes@v9" in told
    assert "v9" in told.partition(": fatal: ")[2] or "couldn't find remote ref" in told


def test_of_no_words_the_exit_code_is_told() -> None:
    assert reason([], 2) == "exit code 2"
