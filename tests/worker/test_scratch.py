"""A worker's own folder: it goes with the worker, or after a kill with the start of the next one."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.support.environment import REPOSITORY
from worker.scratch import Scratch

HOLD = "from worker.scratch import Scratch; kept = Scratch(); print(kept.folder, flush=True); input()"


def test_what_a_kill_leaves_goes_at_the_next_start_and_what_is_used_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "dppctl-run-somebodys-file").touch()
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-c", HOLD]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": environment}
    with subprocess.Popen(command, **pipes) as holder:  # type: ignore[call-overload]
        used = Path(holder.stdout.readline().strip())
        first = Scratch()
        assert used.is_dir()
        holder.kill()
    second = Scratch()
    assert not used.exists()
    assert first.folder.is_dir()
    for made in (first, second):
        made.close()
    assert [path.name for path in tmp_path.iterdir()] == ["dppctl-run-somebodys-file"]
