"""The worker as it ships: the zipapp, run by the oldest Python that this machine has for it."""

from pathlib import Path

import pytest

from cluster.local.workers.dpp_environment import DppEnvironment
from tests.support.worker import Worker
from worker.zipapp_builder import build


@pytest.fixture(scope="session")
def zipapp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("worker") / "worker.pyz"
    build(target)
    return target


@pytest.fixture
def worker(zipapp: Path, runtime: DppEnvironment, tmp_path: Path) -> Worker:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return Worker(zipapp, runtime, scratch)
