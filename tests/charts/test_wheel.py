"""What is installed with dppctl: `dppctl init` needs the chart and the template without a checkout."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support.environment import REPOSITORY


@pytest.mark.slow  # pip makes an environment for the build
def test_the_wheel_has_the_chart_and_the_template(tmp_path: Path) -> None:
    # From a copy, as the build leaves files beside the sources.
    source = tmp_path / "source"
    listed = subprocess.check_output(["git", "ls-files", "-z"], cwd=REPOSITORY, text=True).split("\0")
    for name in filter(None, listed):
        if (REPOSITORY / name).is_file() and not name.startswith(("tests/", "benchmarks/", "docs/")):
            target = source / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((REPOSITORY / name).read_bytes())
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    wanted = {
        name
        for name in filter(None, listed)
        if name.startswith(("charts/", "ops_repo_template/")) and not (REPOSITORY / name).is_symlink()
    }
    assert wanted - packed == set()
    assert not [name for name in packed if name.startswith("charts/dppctl/charts/")]
    assert not [name for name in packed if name.startswith("ops_repo_template/chart/")]
