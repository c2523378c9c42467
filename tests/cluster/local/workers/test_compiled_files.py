"""What is compiled in one environment is not compiled again in the next, and what does not fit is compiled anew."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from cluster.local.workers.compiled_files import compile_command, take_compiled_files
from tests.support.workloads import write_files


def an_environment(folder: Path, files: Mapping[str, str]) -> Path:
    """The folders that matter of a virtual environment."""
    write_files(folder / "lib", files)
    for name in files:
        os.utime(folder / "lib" / name, (1_700_000_000, 1_700_000_000))
    (folder / "bin").mkdir()
    (folder / "bin" / "python").symlink_to(sys.executable)
    return folder


def compiled(folder: Path) -> dict[str, int]:
    """Where each compiled file lies on the disk, by the name of its source."""
    return {path.name.partition(".")[0]: path.stat().st_ino for path in folder.rglob("*.pyc")}


@pytest.mark.parametrize("links", [True, False])
def test_what_fits_is_taken_and_the_rest_compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool) -> None:
    files = {"same.py": "A = 1\n", "other.py": "A = 2\n", "gone/away.py": "A = 3\n"}
    first = an_environment(tmp_path / "first", files)
    second = an_environment(tmp_path / "second", {"same.py": "A = 1\n", "other.py": "A = 222\n"})
    subprocess.run(compile_command(first, [first / "lib"]), check=True)
    if not links:
        monkeypatch.setattr(os, "link", _refuses)
    left = take_compiled_files(first, second)
    assert left == [second / "lib" / "other.py"], "what has no source there is not to be compiled"
    assert sorted(compiled(second)) == ["same"]
    subprocess.run(compile_command(second, left), check=True)
    assert sorted(compiled(second)) == ["other", "same"]
    assert (compiled(first)["same"] == compiled(second)["same"]) == links


def _refuses(*_: object) -> None:
    raise OSError(18, "Invalid cross-device link")
