"""A shell for the stories that type what the pages say."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.local.workers.dpp_environment import DppEnvironment
from tests.conftest import REPOSITORY
from tests.docs.shell import Shell
from tests.forge import Forge
from tests.github.fake import FakeGitHub, fake_github
from tests.sync.helm.conftest import cluster, kubeconfig

__all__ = ["cluster", "kubeconfig"]


@pytest.fixture
def shell(tmp_path: Path, runtime: DppEnvironment) -> Iterator[Shell]:
    """In a clone of this repository, so to speak: commands that change files there go elsewhere first."""
    assert runtime.bin.is_dir()  # so that no command says how it is set up
    shell = Shell(tmp_path / "home", REPOSITORY)
    yield shell
    shell.end()


@pytest.fixture
def github(tmp_path: Path) -> Iterator[FakeGitHub]:
    with fake_github(Forge(tmp_path)) as github:
        yield github
        assert github.wrong == []
