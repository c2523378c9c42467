"""A run that names an image, whose pool helm makes, with the rights of the chart's operator and no others."""

import json
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from bot.kubernetes import KubernetesClient
from cluster.operator.pool_deployer import PoolDeployer
from cluster.operator.pool_names import pool_of_image
from cluster.operator.pools import PoolPolicy
from cluster.sync.helm.helm import Helm
from tests.support.charts.dppctl import RUNS, named, rendered
from tests.support.charts.rendering import CHART
from tests.support.helm import helm
from tests.support.stories.github import free_port
from tests.support.stories.named_run import NamedRun
from tests.support.stories.operator_world import OperatorWorld
from tests.support.waiting import eventually

pytestmark = pytest.mark.needs("an API server", "helm")

IMAGE = "example.org/app:1"
POLICY = PoolPolicy(most=1, images=("example.org/",), idle_seconds=3)


@pytest.fixture
def world(tmp_path: Path, kubeconfig: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[OperatorWorld]:
    monkeypatch.setattr("worker.server.Run", NamedRun)
    monkeypatch.setattr("cluster.operator.run_task.WORKER_RETRY_SECONDS", 0.1)
    with closing(OperatorWorld(tmp_path, kubeconfig, free_port())) as made:
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig_of_operator(made, Path(kubeconfig), tmp_path / "operator")))
        values = {"workers": {"keySecret": "dppctl"}, "resources": {"limits": {"memory": "1Gi"}}}
        with closing(Helm(str(helm()), tmp_path / "helm", 60, driver="configmap")) as program:
            made.pools = PoolDeployer(program, CHART, made.namespace, values, POLICY)
            yield made


def kubeconfig_of_operator(world: OperatorWorld, own: Path, file: Path) -> Path:
    """A kubeconfig of an account that has the Role of the chart's operator."""
    rules = named(rendered(RUNS), "Role", "dppctl-operator")["rules"]
    base, rbac = (
        f"/api/v1/namespaces/{world.namespace}",
        f"/apis/rbac.authorization.k8s.io/v1/namespaces/{world.namespace}",
    )
    name = {"metadata": {"name": "operator"}}
    world.api.create(f"{base}/serviceaccounts", name)
    world.api.create(f"{rbac}/roles", {**name, "rules": rules})
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "operator"}
    subject = {"kind": "ServiceAccount", "name": "operator", "namespace": world.namespace}
    world.api.create(f"{rbac}/rolebindings", {**name, "roleRef": role, "subjects": [subject]})
    token = world.api.create(f"{base}/serviceaccounts/operator/token", {"spec": {}})["status"]["token"]
    config = yaml.safe_load(own.read_text())
    for user in config["users"]:
        user["user"] = {"token": token}
    file.write_text(json.dumps(config))
    return file


def test_a_pool_is_made_for_an_image_and_goes_when_it_was_idle(world: OperatorWorld, kubeconfig: str) -> None:
    assert kubeconfig
    name = pool_of_image(IMAGE)
    with world.operator():
        run = world.ask("rows", image=IMAGE)
        refused = world.ask("rows", image="docker.io/somebody/else:1")
        assert world.until(run, "Succeeded")["worker"]["name"].startswith(f"{name}-workers-")
        status = world.until(refused, "Failed")
        assert status["reason"] == "PoolFailed"
        assert "docker.io/somebody/else:1 is not allowed on this cluster" in status["message"]
        (pool,) = pools(world.api, world.namespace, name)
        (container,) = pool["spec"]["template"]["spec"]["containers"]
        assert (container["image"], container["resources"]["limits"]["memory"]) == (IMAGE, "1Gi")
        secrets = world.api.list(f"/api/v1/namespaces/{world.namespace}/secrets", "owner=helm")
        assert secrets == [], "the operator reads no Secret, and so helm keeps nothing there"
        eventually(lambda: wake(world) or not pools(world.api, world.namespace, name), "it was idle", 30)
    assert pools(world.api, world.namespace, "default")


def pools(api: KubernetesClient, namespace: str, name: str) -> list[dict[str, object]]:
    return api.list(f"/apis/apps/v1/namespaces/{namespace}/deployments", f"dppctl.io/pool={name}")


def wake(world: OperatorWorld) -> None:
    """Have the operator see something, as it looks by itself each 30 seconds only."""
    pod = world.pods()[0]["metadata"]["name"]
    label = {"metadata": {"labels": {"at": f"t{time.time():.0f}"}}}
    world.api.patch(f"/api/v1/namespaces/{world.namespace}/pods/{pod}", label)
