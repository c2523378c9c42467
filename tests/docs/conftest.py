"""A shell for the stories that type what the pages say."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.local.workers.dpp_environment import DppEnvironment
from tests.support.docs.shell import Shell
from tests.support.environment import REPOSITORY
from tests.support.needs import needs


@pytest.fixture
@needs("helm")
def shell(tmp_path: Path, runtime: DppEnvironment) -> Iterator[Shell]:
    """In a clone of this repository, so to speak: commands that change files there go elsewhere first."""
    assert runtime.bin.is_dir()  # so that no command says how it is set up
    shell = Shell(tmp_path / "home", REPOSITORY)
    yield shell
    shell.end()
