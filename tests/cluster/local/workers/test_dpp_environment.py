"""dpp's environments: made once, whatever happens meanwhile."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cluster.errors import ClusterError
from cluster.local.workers.dpp_environment import ensure_dpp_environment, find_runtime
from tests.support.environment import REPOSITORY
from tests.support.waiting import eventually

MAKE = "import sys; from pathlib import Path; from cluster.local.workers.dpp_environment import ensure_runtime; "
MAKE += "print(ensure_runtime(Path(sys.argv[1]), None, lambda line: print(line, flush=True)).folder)"


def start(cache: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", MAKE, str(cache)]
    return subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, start_new_session=True)


def test_it_is_made_once_even_by_two_at_once_and_again_when_the_cache_is_gone(tmp_path: Path) -> None:
    both = [start(tmp_path), start(tmp_path)]
    told = [process.communicate(timeout=300)[0].splitlines() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert told[0][-1] == told[1][-1], "both got the same"
    assert sum(any(line.startswith("  Installed") for line in lines) for lines in told) == 1
    found = find_runtime(tmp_path)
    assert found
    version = subprocess.run([found.bin / "python", "-c", "import datapackage_pipelines"], check=False)
    assert version.returncode == 0
    assert list(found.folder.glob("lib/*/site-packages/datapackage_pipelines/__pycache__/*.pyc")), "it is compiled"
    said: list[str] = []
    assert ensure_dpp_environment(tmp_path, None, said.append) == found
    assert said == []
    shutil.rmtree(tmp_path / "runtimes")
    assert find_runtime(tmp_path) is None
    assert ensure_dpp_environment(tmp_path, None, said.append).bin.joinpath("dpp").exists()
    assert "(once)" in said[0]
    assert "Set up in" in said[-1]


def test_one_that_was_killed_half_made_is_made_anew(tmp_path: Path) -> None:
    process = start(tmp_path)
    eventually(lambda: list(tmp_path.glob("runtimes/*/bin/python")), "the environment is half made")
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    assert find_runtime(tmp_path) is None
    made = ensure_dpp_environment(tmp_path, None, lambda _: None)
    assert (made.bin / "dpp").exists()
    folders = [path for path in (tmp_path / "runtimes").iterdir() if path.is_dir() and not path.is_symlink()]
    assert folders == [made.folder], "the half made one is gone"


def test_a_requirement_that_does_not_exist_is_one_line(tmp_path: Path) -> None:
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("dppctl-has-no-such-package==1.2.3\n")
    with pytest.raises(ClusterError, match=r"cannot be made: .*dppctl-has-no-such-package") as caught:
        ensure_dpp_environment(tmp_path / "cache", requirements, lambda _: None)
    assert "\n" not in str(caught.value)
    assert [path.name for path in (tmp_path / "cache" / "runtimes").iterdir() if path.suffix != ".lock"] == []
