"""What `make release` signs is checked by the words of SECURITY.md."""

import subprocess
from pathlib import Path

import pytest

from tests.support.environment import REPOSITORY

pytestmark = pytest.mark.needs("bash", "ssh-keygen")


def commands(file: Path, program: str) -> list[str]:
    """The lines of a file that begin with this program."""
    return [line.strip() for line in file.read_text().splitlines() if line.strip().startswith(program)]


def test_checksums_and_signature_are_checked_by_the_words_of_the_page(tmp_path: Path) -> None:
    page = REPOSITORY / "SECURITY.md"
    [sums], [verify] = commands(page, "sha256sum"), commands(page, "ssh-keygen")
    [sign] = commands(REPOSITORY / ".ci" / "release", "ssh-keygen")
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / "dppctl.whl").write_text("a wheel")
    check = f"cd dist && {sums} && {verify.replace('NAME', 'ann@example.org')}"

    def run(script: str) -> int:
        return subprocess.run(["bash", "-ec", script], cwd=tmp_path, capture_output=True, check=False).returncode

    assert run("ssh-keygen -q -t ed25519 -N '' -f key && echo \"ann@example.org $(cat key.pub)\" >allowed_signers") == 0
    assert run(f"(cd dist && sha256sum -- * >SHA256SUMS) && SIGNING_KEY=key && {sign}") == 0
    assert run(f"cp allowed_signers dist && {check}") == 0
    (tmp_path / "dist" / "dppctl.whl").write_text("another wheel")
    assert run(check) != 0
    assert run(f"(cd dist && sha256sum dppctl.whl >SHA256SUMS) && {check}") != 0
