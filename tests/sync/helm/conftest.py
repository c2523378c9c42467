"""A cluster of a test's own: two new namespaces in the one that DPPCTL_TEST_KUBECONFIG names."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import needs
from tests.sync.helm.cluster import Cluster


@pytest.fixture
def kubeconfig(monkeypatch: pytest.MonkeyPatch) -> str:
    found = os.environ.get("DPPCTL_TEST_KUBECONFIG", "")
    needs("a cluster that DPPCTL_TEST_KUBECONFIG names (its API server is enough)", found)
    monkeypatch.setenv("KUBECONFIG", found)
    return found


@pytest.fixture
def cluster(tmp_path: Path, kubeconfig: str) -> Iterator[Cluster]:
    made = Cluster(tmp_path, kubeconfig)
    yield made
    made.helm.close()
    made.git.close()
