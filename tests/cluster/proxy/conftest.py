"""One namespace with a pool, an operator and a proxy for all tests of a module."""

import os
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.support.environment import use_kubeconfig
from tests.support.needs import needs
from tests.support.stories.github import free_port
from tests.support.stories.named_run import NamedRun
from tests.support.stories.operator_world import OperatorWorld
from tests.support.stories.proxy_world import ProxyWorld


@pytest.fixture(scope="module")
@needs("an API server")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OperatorWorld]:
    with pytest.MonkeyPatch.context() as patch:
        kubeconfig = os.environ["DPPCTL_TEST_KUBECONFIG"]
        use_kubeconfig(patch, kubeconfig)
        patch.setattr("worker.server.Run", NamedRun)
        patch.setattr("cluster.operator.run_task.WORKER_RETRY_SECONDS", 0.1)
        folder = tmp_path_factory.mktemp("runs")
        with closing(OperatorWorld(folder, kubeconfig, free_port())) as world, world.operator():
            yield world


@pytest.fixture(scope="module")
@needs("an API server")
def proxy(runs: OperatorWorld, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxyWorld]:
    kubeconfig = os.environ["DPPCTL_TEST_KUBECONFIG"]
    world = ProxyWorld(tmp_path_factory.mktemp("proxy"), kubeconfig, runs.namespace, runs.url)
    with world.running():
        yield world
