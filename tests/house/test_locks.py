"""What is installed is known by its hash, wherever we install it."""

import re
import subprocess
from pathlib import Path

import pytest
import uv

from bot.program_environment import PACKAGES, listed_environment
from tests.support.environment import REPOSITORY

LOCKS = (
    "requirements.txt",
    "requirements-dev.txt",
    "requirements-release.txt",
    "cluster/local/dpp/requirements.txt",
    "cluster/local/dpp/uv.txt",
)
_PIN = re.compile(
    r"^([a-z0-9][^ ;]*==[^ ;]+(?: ; [^\\\n]+?)?) \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.MULTILINE
)


def pins(lock: str) -> list[str]:
    return [found[1] for found in _PIN.finditer((REPOSITORY / lock).read_text())]


@pytest.mark.parametrize("lock", LOCKS)
def test_each_package_of_a_lock_has_hashes(lock: str) -> None:
    text = (REPOSITORY / lock).read_text()
    assert len(pins(lock)) == len(re.findall(r"^[a-z0-9]", text, re.MULTILINE)) > 0


def test_a_wheel_asks_for_what_the_lock_has() -> None:
    assert (REPOSITORY / "pins.txt").read_text().splitlines() == pins("requirements.txt")
    assert pins("cluster/local/dpp/uv.txt")[0] in pins("requirements.txt")


@pytest.mark.parametrize(
    "file", ["Makefile", "Dockerfile", "images/runtime/Dockerfile", "cluster/local/workers/dpp_environment.py"]
)
def test_all_that_install_a_lock_require_its_hashes(file: str) -> None:
    text = (REPOSITORY / file).read_text()
    lock = re.compile(r"-r\W.*(requirements(-dev|-release)?\.txt|uv\.txt|LOCK)")
    installs = [line for line in text.splitlines() if lock.search(line)]
    assert installs
    assert [line for line in installs if "--require-hashes" not in line and "$$file" not in line] == []


def test_another_package_than_the_one_that_was_locked_is_not_installed(tmp_path: Path) -> None:
    text = next(
        found[0] for found in _PIN.finditer((REPOSITORY / LOCKS[0]).read_text()) if found[1].startswith("click==")
    )
    (tmp_path / "lock.txt").write_text(re.sub("sha256:[0-9a-f]{64}", f"sha256:{'0' * 64}", text.rstrip(" \\\n")) + "\n")
    command = [uv.find_uv_bin(), "pip", "install", "--no-deps", "--require-hashes", "--target", str(tmp_path / "to")]
    done = subprocess.run(
        [*command, "-r", str(tmp_path / "lock.txt")],
        env=listed_environment(*PACKAGES),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "Hash mismatch" in done.stderr
