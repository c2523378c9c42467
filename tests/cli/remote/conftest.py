"""A person's runs on a cluster, whose operator and proxy are real."""

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from cli.remote.clusters import NamedCluster, add_cluster, use_cluster
from tests.support.environment import use_kubeconfig
from tests.support.needs import needs
from tests.support.stories.github import free_port
from tests.support.stories.named_run import NamedRun
from tests.support.stories.operator_world import OperatorWorld
from tests.support.stories.proxy_world import ProxyWorld
from tests.support.workloads import write_files


@pytest.fixture(scope="module")
@needs("an API server")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OperatorWorld]:
    """Three workers and a database that wait, and an operator."""
    with pytest.MonkeyPatch.context() as patch:
        kubeconfig = os.environ["DPPCTL_TEST_KUBECONFIG"]
        use_kubeconfig(patch, kubeconfig)
        patch.setattr("worker.server.Run", NamedRun)
        patch.setattr("worker.handler.WorkerHandler.log_message", lambda *_: None)  # in the place of pods' logs
        patch.setattr("cluster.operator.run_task.WORKER_RETRY_SECONDS", 0.1)
        folder = tmp_path_factory.mktemp("runs")
        with closing(OperatorWorld(folder, kubeconfig, free_port(), waiting=3, databases=1)) as world, world.operator():
            yield world


@pytest.fixture(scope="module")
def proxy(runs: OperatorWorld, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxyWorld]:
    """A proxy beside it."""
    kubeconfig = os.environ["DPPCTL_TEST_KUBECONFIG"]
    world = ProxyWorld(tmp_path_factory.mktemp("proxy"), kubeconfig, runs.namespace, runs.url)
    with world.running():
        yield world


@pytest.fixture
def office(proxy: ProxyWorld, settings_folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ProxyWorld:
    """The proxy, as the cluster that a person with a workload has chosen."""
    assert settings_folder
    monkeypatch.setenv("DPPCTL_TOKEN", proxy.person(f"ann-{tmp_path.name}").token)
    add_cluster(NamedCluster("office", proxy.url))
    use_cluster("office")
    spec = "".join(f"{name}:\n  pipeline: []\n" for name in ("rows", "wait", "fail", "log"))
    monkeypatch.chdir(write_files(tmp_path / "workload", {"pipeline-spec.yaml": spec}))
    return proxy
