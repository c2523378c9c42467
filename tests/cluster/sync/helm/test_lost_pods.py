"""Pods that are lost while their Job runs: a node that does not answer, a pod that a drain took."""

import pytest

from tests.support.stories.helm_cluster import Cluster, receipt
from tests.support.waiting import eventually


def told(cluster: Cluster, words: str) -> str:
    return eventually(
        lambda: next((event.message for event in cluster.events if words in event.message), ""), f"it says: {words}"
    )


def test_a_node_that_does_not_answer_is_told_and_waited_for(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """The statuses and the event are those of a node whose kubelet was stopped."""
    for module in ("job_run", "events"):
        monkeypatch.setattr(f"cluster.sync.helm.{module}.EVENTS_SECONDS", 0.2)
    cluster.say("one")
    with cluster.running():
        cluster.until("running")
        cluster.job()
        meta = cluster.objects("pods")[0]["metadata"]
        pod = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}"
        node = {"apiVersion": "v1", "kind": "Node", "name": "lost"}
        cluster.api.create(f"{pod}/binding", {"metadata": {"name": meta["name"]}, "target": node})
        running = {"name": "pipelines", "state": {"running": {}}, "image": "x", "imageID": "x", "ready": True}
        cluster.pod_says({"phase": "Running", "containerStatuses": [{**running, "restartCount": 0}]})
        told(cluster, "cannot be read, and is asked for again: ")
        about = {"kind": "Pod", "apiVersion": "v1", "name": meta["name"], "namespace": meta["namespace"]}
        event = {"type": "Warning", "reason": "NodeNotReady", "message": "Node is not ready", "involvedObject": about}
        path = f"/api/v1/namespaces/{meta['namespace']}/events"
        cluster.api.create(path, {"metadata": {"generateName": "lost-"}, **event})
        assert told(cluster, "does not answer").startswith("node lost does not answer (Node is not ready); it is waite")
        cluster.job_ends(receipt(rows=4))
        cluster.until("succeeded")
    assert (cluster.phases(), cluster.last().message) == (["started", "succeeded"], "4 rows")


def test_a_pod_that_a_drain_took_is_told_and_the_next_one_followed(cluster: Cluster) -> None:
    cluster.say("one")
    with cluster.running():
        cluster.until("running")
        cluster.job()
        meta = cluster.objects("pods")[0]["metadata"]
        cluster.api.delete(f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}", gracePeriodSeconds=0)
        said = told(cluster, "the pipelines run again in pod ")
        assert said.startswith(f"pod {meta['name']}: it was deleted, as when its node is drained; ")
        cluster.job_ends(receipt(rows=4))
        cluster.until("succeeded")
    assert cluster.last().message == "4 rows"
