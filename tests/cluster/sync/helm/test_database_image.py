"""The database of an environment: another image, which may be wrong, or of a version that cannot read what is there."""

import json
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.kubernetes import KubernetesClient
from cluster.sync.helm.release_pods import broken_pods, replace_stuck_pods
from tests.support.charts.apps import bot_values
from tests.support.charts.rendering import CHART
from tests.support.cluster import Namespace
from tests.support.needs import needs
from tests.support.waiting import eventually


@pytest.fixture
@needs("helm")
def namespace(tmp_path: Path, kubeconfig: str) -> Iterator[Namespace]:
    assert kubeconfig
    made = Namespace(f"beside-{secrets.token_hex(4)}", tmp_path)
    made.kubectl("create", "namespace", made.name)
    yield made
    made.kubectl("delete", "namespace", made.name, "--wait=false")


def database_image(namespace: Namespace) -> str:
    pods = namespace.get("pods", "app.kubernetes.io/component=database")
    return str(pods[0]["spec"]["containers"][0]["image"]) if pods else ""


def deploy(namespace: Namespace, image: str) -> None:
    database = {"enabled": True, "image": image}
    namespace.deploy(
        CHART, bot_values(pipelines=()), {"database": database, "kubernetes": {"cronJobApiVersion": "none"}}
    )


def test_a_database_image_that_is_wrong_is_undone_by_a_revert(namespace: Namespace) -> None:
    for image in ("registry.example/postgres:17", "registry.example/postgres:17.none", "registry.example/postgres:17"):
        deploy(namespace, image)
        eventually(lambda image=image: database_image(namespace) == image, f"the database's pod is of {image}", 40)


def test_a_database_that_is_there_keeps_how_its_pods_are_replaced(namespace: Namespace, kubeconfig: str) -> None:
    deploy(namespace, "a")
    [made] = namespace.get("statefulsets")
    made["spec"]["podManagementPolicy"] = "OrderedReady"  # of an older chart
    made["metadata"] = {key: made["metadata"][key] for key in ("name", "labels", "annotations")}
    namespace.kubectl("delete", "statefulset", "app-database")
    file = namespace.folder / "older.json"
    file.write_text(json.dumps({key: value for key, value in made.items() if key != "status"}))
    namespace.kubectl("apply", "--server-side", "--field-manager=helm", f"--filename={file}")
    deploy(namespace, "b")
    [found] = namespace.get("statefulsets")
    assert found["spec"]["podManagementPolicy"] == "OrderedReady"

    # Kubernetes would wait for ever for the pod of the image from before, which cannot be pulled.
    api = KubernetesClient(kubeconfig)
    path = f"/api/v1/namespaces/{namespace.name}/pods/app-database-0"
    stuck = {"name": "postgresql", "image": "a", "imageID": "", "ready": False, "restartCount": 0}
    stuck["state"] = {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}}
    api.patch(f"{path}/status", {"status": {"containerStatuses": [stuck]}})
    assert database_image(namespace) == "a"
    said = ["pod app-database-0: container postgresql: ImagePullBackOff: not found"]
    assert broken_pods(api, namespace.name, "app") == said

    def is_replaced() -> bool:
        replace_stuck_pods(api, namespace.name, "app")
        return database_image(namespace) == "b"

    eventually(is_replaced, "its pod is of the other image", 40)
    uid = (api.get(path) or {})["metadata"]["uid"]
    replace_stuck_pods(api, namespace.name, "app")
    assert (api.get(path) or {})["metadata"]["uid"] == uid


def test_a_major_version_that_cannot_read_the_data_is_refused_before_anything_changes(namespace: Namespace) -> None:
    for image in ("registry.example:5000/postgres:15", "postgres:15.4-bookworm", f"postgres:15@sha256:{'1' * 64}"):
        deploy(namespace, image)
    eventually(lambda: namespace.get("persistentvolumeclaims"), "there is a database")
    with pytest.raises(AssertionError, match="the database is of PostgreSQL 15, and 17 cannot read its files; noth"):
        deploy(namespace, "postgres:17.6-bookworm")
    deploy(namespace, f"postgres@sha256:{'1' * 64}")  # which says no version
