"""Pods that a quota or a LimitRange refuses: the reason is told soon, from what the controllers say in events."""

import pytest

from cluster.sync.helm.job_run import JobLimits
from tests.support.stories.helm_cluster import Cluster
from tests.support.waiting import BUSY, eventually
from tests.support.world import STAGING

SOON = 30 * BUSY


def refuse_pods(cluster: Cluster, kind: str) -> None:
    """Refuse every pod of the environment's namespace."""
    spec: dict[str, object] = {"hard": {"pods": "0"}}
    if kind == "limitranges":
        spec = {"limits": [{"type": "Pod", "min": {"memory": "1Gi"}}]}
    namespace = cluster.namespaces["staging"]
    cluster.api.create(f"/api/v1/namespaces/{namespace}/{kind}", {"metadata": {"name": "small"}, "spec": spec})
    if kind == "resourcequotas":
        path = f"/api/v1/namespaces/{namespace}/{kind}/small"
        eventually(lambda: (cluster.api.get(path) or {}).get("status", {}).get("hard"), "the quota counts")


@pytest.mark.parametrize(("kind", "words"), [("resourcequotas", "exceeded quota: small"), ("limitranges", "memory")])
def test_a_job_whose_pod_is_refused_says_so_soon_and_ends(cluster: Cluster, kind: str, words: str) -> None:
    refuse_pods(cluster, kind)
    cluster.start(limits=JobLimits(start=1.0))
    cluster.say("one")
    with cluster.running():
        eventually(
            lambda: [event for event in cluster.events if "its pod is refused: " in event.message], "it is told", SOON
        )
        cluster.until("failed")
    last = cluster.last().message
    assert words in last, last


def test_what_helm_waits_for_is_told_while_it_waits(cluster: Cluster) -> None:
    refuse_pods(cluster, "resourcequotas")
    cluster.helm._seconds = 40
    cluster.say(pipelines=(), people={"replicas": 1})
    with cluster.running():
        told = eventually(
            lambda: [event for event in cluster.events if "its pod is refused: " in event.message], "it is told", SOON
        )
        assert told[0].phase == "progress"
        assert "exceeded quota: small" in told[0].message
        cluster.until("failed")
    assert "exceeded quota: small" in cluster.last().message.partition("\n")[0]


def test_a_secret_that_only_looks_like_helms_ends_nothing(cluster: Cluster) -> None:
    cluster.say(pipelines=())
    assert cluster.sync.sync()
    path = f"/api/v1/namespaces/{cluster.namespaces['staging']}/secrets"
    release = cluster.sync.locations[STAGING].release
    cluster.api.create(path, {"metadata": {"name": "a", "labels": {"owner": "helm"}}})
    cluster.api.create(path, {"metadata": {"name": "b", "labels": {"owner": "helm", "name": release, "version": "x"}}})
    odd = {"owner": "helm", "name": release, "status": "deployed", "version": "many"}
    cluster.api.create(path, {"metadata": {"name": "c", "labels": odd}, "type": "helm.sh/release.v1"})
    runs = cluster.helm.runs
    assert cluster.start().sync()
    assert cluster.helm.runs == runs
    cluster.people_say({"text": "new"})
    assert cluster.start().sync()
    assert cluster.text() == "new"


def test_a_release_that_somebody_broke_is_told_in_one_line(cluster: Cluster) -> None:
    cluster.say(pipelines=())
    assert cluster.sync.sync()
    place = cluster.sync.locations[STAGING]
    path = f"/api/v1/namespaces/{place.namespace}/secrets/sh.helm.release.v1.{place.release}.v1"
    cluster.api.patch(path, {"data": {"release": "bm90IGhlbG0ncw=="}})
    sync = cluster.start(drift_seconds=0.0)
    sync.look()
    sync._collect(10.0)
    [problem] = sync._problems.values()
    assert "it is not as helm writes its releases" in problem
