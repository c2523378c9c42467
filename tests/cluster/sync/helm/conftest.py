"""What tests of the in-cluster sync share: an API server some of whose calls fail, and no long waits between tries."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.environment import use_kubeconfig
from tests.support.faulty_api import FaultyApi, faulty_api
from tests.support.needs import needs
from tests.support.stories.helm_cluster import Cluster


@pytest.fixture
def faulty(tmp_path: Path, kubeconfig: str) -> Iterator[FaultyApi]:
    """Give a real API server some of whose calls fail when a test says so."""
    with faulty_api(kubeconfig, tmp_path) as api:
        yield api


@pytest.fixture
@needs("helm")
def shaky(tmp_path: Path, faulty: FaultyApi, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """Give namespaces, and sync beside them, that reach the API server by way of `faulty`; it tries again at once."""
    monkeypatch.setattr("cluster.sync.helm.sync.SYNC_RETRY_SECONDS", 0.05)
    monkeypatch.setattr("cluster.sync.helm.sync.MAX_SYNC_RETRY_SECONDS", 0.1)
    monkeypatch.setattr("cluster.sync.helm.job_run.JOB_LOOK_SECONDS", (0.1, 0.3))
    monkeypatch.setattr("bot.kubernetes.KUBERNETES_SECONDS", 2.0)
    use_kubeconfig(monkeypatch, faulty.kubeconfig)
    with closing(Cluster(tmp_path, faulty.kubeconfig)) as made:
        yield made
