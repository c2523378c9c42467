"""A cluster of a test's own: two new namespaces in the one that DPPCTL_TEST_KUBECONFIG names."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import needs, use_kubeconfig
from tests.sync.helm.cluster import Cluster


@pytest.fixture
def kubeconfig(monkeypatch: pytest.MonkeyPatch) -> str:
    found = os.environ.get("DPPCTL_TEST_KUBECONFIG", "")
    needs("a cluster that DPPCTL_TEST_KUBECONFIG names (its API server is enough)", found)
    use_kubeconfig(monkeypatch, found)
    return found


@pytest.fixture
def cluster(tmp_path: Path, kubeconfig: str) -> Iterator[Cluster]:
    made = Cluster(tmp_path, kubeconfig)
    yield made
    made.helm.close()
    made.git.close()
