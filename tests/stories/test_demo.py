"""`make demo` in a fresh clone, told once."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.local.workers.dpp_environment import DppEnvironment
from tests.support.docs.shell import Shell
from tests.support.environment import REPOSITORY, processes_with

pytestmark = pytest.mark.slow


@pytest.fixture
def clone(runtime: DppEnvironment, tmp_path: Path) -> Iterator[Shell]:
    """Somebody in a clone of what is committed, whose .venv is the one that runs the tests."""
    assert runtime.bin.is_dir()
    shell = Shell(tmp_path / "home", tmp_path)
    shell.types(
        "git clone https://github.com/OriHoch/dppctl && cd dppctl",
        {"https://github.com/OriHoch/dppctl": f"{REPOSITORY} dppctl"},
    )
    shell.environment.pop("PYTHONDONTWRITEBYTECODE", None)  # which would compile all at each command
    venv = shell.folder / ".venv"
    venv.mkdir()
    for part in Path(sys.prefix).iterdir():
        if part.suffix != ".stamp":
            (venv / part.name).symlink_to(part)
    for stamp in ("uv", "run"):
        (venv / f"{stamp}.stamp").touch()
    yield shell
    shell.end()


@pytest.mark.needs("helm")
def test_the_demo_tells_how_pushes_tags_a_mistake_and_a_loss_of_rows_go(clone: Shell, tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    clone.environment["TMPDIR"] = str(temporary)
    told = clone.types("ONCE=1 make demo")
    for environment_name in ("staging", "production"):
        assert re.search(rf"deployed to {environment_name}: [\d.]+ s from the push to the receipt", told)
    assert len(re.findall(r"\./countries-to-db: succeeded, 249 rows", told)) == 3
    assert len(re.findall(r"\./zones-to-db: succeeded, \d+ rows", told)) == 3
    assert re.search(r"deployment 2 failed, [\d.]+ s after the push:", told)
    assert "not enough values to unpack" in told
    assert re.search(r"\| staging stays as it was, on master \(\w{12}\)", told)
    assert told.count("in staging's database, 312 zones; the countries with the most of them: United States") == 3
    assert told.count("873 rows (-111) in 3 tables") == 2, "in staging, and when it was taken in production"
    refused = told.partition("git push origin v1.1.0")[2].partition("== ")[0]
    assert re.search(r"zones: 201 rows, 36 % fewer than the 312 of deployment 4; maxDropPercent is 20", refused)
    assert "in production's database, 312 zones" in refused
    taken, back = told.partition("--accept-change")[2].split("== dppctl rollback")
    assert "accepted by local:" in taken
    assert "in production's database, 201 zones" in taken
    assert "in production's database, 312 zones" in back
    assert re.search(r"Deploy demo/tz-data v1\.0\.0 \(\w{12}\) to production", told)
    assert re.search(r"All deployments, .*: http://127\.0\.0\.1:\d+/", told)
    assert list(temporary.iterdir()) == []
    assert not processes_with(f"{temporary}/dppctl-demo-")
    assert clone.types(".venv/bin/dppctl", more="--version").startswith("dppctl, version ")
