"""What ends a run that its own pipelines did not: memory, a node without room, an API server that is away. Real pods.

One environment, whose variable MODE says what its pipeline does; sync and helm reach the API server through a proxy.
"""

import os
import threading
from collections.abc import Iterator

import pytest

from tests.support.cluster import ClusterImages, Namespace
from tests.support.faulty_api import DOWN, FaultyApi, faulty_api
from tests.support.stories.pods_cluster import PodsCluster, memory, pods_cluster
from tests.support.waiting import eventually
from tests.support.world import STAGING


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyApi]:
    with faulty_api(os.environ["KUBECONFIG"], tmp_path_factory.mktemp("proxy")) as api:
        yield api


@pytest.fixture(scope="module")
def lost(
    cluster_images: ClusterImages, proxy: FaultyApi, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PodsCluster]:
    before = os.environ["KUBECONFIG"]
    with pods_cluster(tmp_path_factory.mktemp("lost"), proxy.kubeconfig, cluster_images) as made:
        yield made
    os.environ["KUBECONFIG"] = before


@pytest.fixture(autouse=True)
def _by_the_proxy(lost: PodsCluster, proxy: FaultyApi, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001
    monkeypatch.setenv("KUBECONFIG", proxy.kubeconfig)  # helm's


def test_an_api_server_that_is_slow_and_restarts_runs_nothing_twice(lost: PodsCluster, proxy: FaultyApi) -> None:
    """And a receipt of half a megabyte comes whole; in the pod's status is what has room there."""
    with proxy.slow(0.1):
        lost.deploy("fields 8000 6")
        with lost.running():
            eventually(lambda: any("rows" in event.message for event in lost.events), "the pipeline runs", 180)
            with proxy.failing("GET POST PUT PATCH DELETE", "", DOWN) as fault:
                eventually(lambda: fault.hits > 3, "nobody answers")
            lost.until("succeeded")
    assert lost.phases() == ["started", "succeeded"]
    receipt = lost.last().receipt
    assert receipt
    assert [len(resource.fields) for resource in receipt.pipelines[0].resources] == [201]  # "7,801 more"
    [pod] = lost.objects("pods")
    [container] = pod["status"]["containerStatuses"]
    assert 0 < len(container["state"]["terminated"]["message"]) <= 2_000


@pytest.mark.parametrize(
    ("mode", "people", "container", "limit"),
    [
        ("memory 300", {"resources": memory("200Mi")}, "pipelines", "200Mi"),
        ("rows", {"resources": memory("4Mi")}, "prepare", "4Mi"),
    ],
)
def test_a_container_without_memory_is_named_with_its_limit(
    lost: PodsCluster, mode: str, people: dict[str, object], container: str, limit: str
) -> None:
    assert lost.run(mode, **people).phase == "failed"
    first = lost.last().message.partition("\n")[0]
    assert first == f"container {container} needed more memory than its limit of {limit} and was killed (OOMKilled)"
    assert lost.release().status == "deployed"


def test_copying_without_memory_is_named_with_its_limit(lost: PodsCluster, rclone: str) -> None:
    storage = {"image": rclone, "resources": memory("7Mi"), "volume": {"enabled": True}}
    assert lost.run("rows", storage=storage).phase == "failed"
    assert lost.last().message.startswith("container volume needed more memory than its limit of 7Mi and was killed")


def test_a_pod_that_its_node_evicts_says_so_and_one_that_a_drain_takes_runs_again(lost: PodsCluster) -> None:
    limits = {"memory": "1Gi", "ephemeral-storage": "20Mi"}
    assert (
        lost.run("disk 30", resources={"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": limits}).phase
        == "failed"
    )
    assert lost.last().message.startswith("the node ended the pod: Evicted: Pod ephemeral local storage usage exceeds")

    lost.events.clear()
    drain = threading.Thread(target=lost.drain_pod_that_runs)
    drain.start()
    assert lost.run("sleep 4").phase == "succeeded"
    drain.join()
    assert [
        event.message for event in lost.events if "it was deleted, as when its node is drained; the" in event.message
    ]


def test_a_database_that_cannot_start_says_why_while_helm_waits(
    lost: PodsCluster, cluster_images: ClusterImages
) -> None:
    """Its files are of another major version than its image."""
    place = lost.sync.locations[STAGING]
    Namespace(place.namespace, lost.folder).database_volume(place.release, cluster_images.python)
    database = cluster_images.database()
    assert lost.run("rows", database=database).phase == "succeeded"

    lost.in_database("echo 11 > /var/lib/postgresql/data/pgdata/PG_VERSION")
    lost.deploy("rows", database=database, podAnnotations={"note": "another pod"})
    with lost.running():
        lost.says("the database's files are of PostgreSQL 11, and database.image is 15")
