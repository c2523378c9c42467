"""No Job goes on unobserved: one that a failed upgrade made, or that something newer takes the place of, is stopped."""

import json
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.charts.apps import bot_values
from tests.support.charts.rendering import CHART
from tests.support.cluster import Namespace
from tests.support.needs import needs
from tests.support.stories.helm_cluster import Cluster, receipt
from tests.support.waiting import eventually


def running(cluster: Cluster) -> list[str]:
    jobs = cluster.objects("jobs")
    return [job["metadata"]["uid"] for job in jobs if not (job.get("status") or {}).get("conditions")]


def test_the_job_of_an_upgrade_that_failed_is_stopped_and_what_ran_stays(cluster: Cluster) -> None:
    cluster.say("one", people={"text": "first"})
    with cluster.running():
        cluster.until("running")
        cluster.job_ends(receipt())
        cluster.until("succeeded")
        [before] = cluster.objects("jobs")
        cluster.helm._seconds = 8
        cluster.people_say({"text": "second", "replicas": 1})  # which no node ever runs
        cluster.say("two")
        cluster.until("failed")
    assert cluster.text() == "first"
    assert "it stays as it was; its Job " in cluster.last().message
    eventually(
        lambda: [job["metadata"]["uid"] for job in cluster.objects("jobs")] == [before["metadata"]["uid"]], "gone"
    )


def test_the_job_of_a_first_install_that_failed_is_stopped(cluster: Cluster) -> None:
    cluster.helm._seconds = 8
    cluster.say("one", people={"replicas": 1})
    assert not cluster.sync.sync()
    assert "nothing of it runs yet" in cluster.last().message
    eventually(lambda: not cluster.objects("jobs"), "no Job goes on")
    assert not cluster.objects("deployments")


def test_a_job_is_stopped_when_something_newer_is_to_run(cluster: Cluster) -> None:
    cluster.say("one")
    with cluster.running():
        cluster.until("running")
        cluster.job()
        [old] = running(cluster)
        cluster.say("two")
        eventually(lambda: (now := running(cluster)) and old not in now, "the older one is stopped, the newer one runs")
        cluster.job_ends(receipt())
        cluster.until("succeeded")
    assert "superseded" in cluster.phases()


def test_a_job_that_the_newer_one_runs_too_goes_on(cluster: Cluster) -> None:
    cluster.say("one")
    with cluster.running():
        cluster.until("running")
        cluster.job()
        before = running(cluster)
        commit = cluster.say("one")
        eventually(lambda: cluster.last().commit == commit, "the newer one is at work")
        cluster.until("running")
        cluster.job_ends(receipt())
        cluster.until("succeeded")
    assert [job["metadata"]["uid"] for job in cluster.objects("jobs")] == before


@pytest.fixture
@needs("helm")
def namespace(tmp_path: Path, kubeconfig: str) -> Iterator[Namespace]:
    assert kubeconfig
    made = Namespace(f"beside-{secrets.token_hex(4)}", tmp_path)
    made.kubectl("create", "namespace", made.name)
    yield made
    made.kubectl("delete", "namespace", made.name, "--wait=false")


def database_image(namespace: Namespace) -> str:
    pods = namespace.get("pods", "--selector=app.kubernetes.io/component=database")
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


def test_a_database_that_is_there_keeps_how_its_pods_are_replaced(namespace: Namespace) -> None:
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
