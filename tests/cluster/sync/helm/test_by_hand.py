"""What people do in the cluster past sync, and what a kill leaves."""

import base64
import gzip
import json

import pytest

from cluster.sync.helm import records, releases
from cluster.sync.helm.state import Record
from tests.support.stories.helm_cluster import Cluster, receipt, wait_a_moment
from tests.support.waiting import eventually
from tests.support.world import STAGING


def set_status(cluster: Cluster, status: str) -> None:
    """As a helm leaves its newest revision that was killed."""
    place, revision = cluster.sync.locations[STAGING], cluster.release().revision
    path = f"/api/v1/namespaces/{place.namespace}/secrets/sh.helm.release.v1.{place.release}.v{revision}"
    secret = cluster.api.get(path)
    assert secret
    content = json.loads(gzip.decompress(base64.b64decode(base64.b64decode(secret["data"]["release"]))))
    content["info"]["status"] = status
    packed = base64.b64encode(base64.b64encode(gzip.compress(json.dumps(content).encode()))).decode()
    cluster.api.patch(path, {"metadata": {"labels": {"status": status}}, "data": {"release": packed}})


def test_a_release_that_a_kill_left_pending_is_repaired(cluster: Cluster) -> None:
    cluster.say(pipelines=(), people={"text": "first"})
    cluster.sync.sync()
    kept = cluster.kept()
    assert kept
    for number, status in enumerate(("pending-upgrade", "pending-rollback", "pending-install"), 1):
        cluster.people_say({"text": f"text {number}"})
        cluster.sync.read()
        new = cluster.sync.known()[1][1]
        assert new
        # Helm was started, and both were killed.
        record = Record(new.fingerprint, "deploying", cluster.release().revision - 1, 1, reported=False)
        records.write(cluster.api, cluster.sync.locations[STAGING], record)
        set_status(cluster, status)
        assert cluster.start().sync(), status
        assert cluster.release().status == "deployed"
        assert cluster.text() == f"text {number}"


def test_somebody_elses_helm_is_left_to_end(cluster: Cluster) -> None:
    cluster.say(pipelines=())
    cluster.sync.sync()
    set_status(cluster, "pending-upgrade")
    cluster.people_say({"text": "new"})
    runs = cluster.helm.runs
    cluster.start().sync()
    assert cluster.helm.runs == runs
    cluster.start(helm_seconds=0.001).sync()  # it took too long
    assert cluster.text() == "new"


def test_somebody_elses_helm_that_was_quicker_is_left_to_end(cluster: Cluster) -> None:
    cluster.say(pipelines=())
    cluster.sync.sync()
    cluster.people_say({"text": "new"})
    sync = cluster.start()
    for _ in range(2):
        cluster.context.slots.acquire()
    sync.look()  # it decides to deploy, and waits
    set_status(cluster, "pending-upgrade")
    for _ in range(2):
        cluster.context.slots.release()
    assert not sync.sync()
    for again in (cluster.sync, cluster.start()):  # also after a restart it is no killed one of sync's
        again.sync()
        assert cluster.release().status == "pending-upgrade"
    set_status(cluster, "deployed")
    assert cluster.start().sync()
    assert cluster.text() == "new"


def test_a_helm_that_ended_meanwhile_is_not_marked_as_killed(cluster: Cluster) -> None:
    cluster.say(pipelines=())
    cluster.sync.sync()
    place = cluster.sync.locations[STAGING]
    releases.unlock(cluster.api, place.namespace, place.release, 1)
    assert cluster.release().status == "deployed"


def test_what_somebody_upgraded_by_hand_is_deployed_again(cluster: Cluster) -> None:
    cluster.say(pipelines=(), people={"text": "wanted"})
    cluster.sync.sync()
    place = cluster.sync.locations[STAGING]
    chart = str(cluster.ops.work / "chart")
    by_hand = ["upgrade", place.release, chart, "-n", place.namespace, "--reuse-values", "--set", "text=mine"]
    cluster.helm._run(by_hand, 60)
    assert cluster.text() == "mine"
    assert cluster.start().sync()
    assert cluster.text() == "wanted"
    cluster.helm._run(["uninstall", place.release, "-n", place.namespace], 60)
    assert cluster.start().sync()
    assert cluster.text() == "wanted"


def test_drift_is_repaired_once(cluster: Cluster) -> None:
    cluster.say(pipelines=(), people={"text": "wanted"})
    cluster.sync.sync()
    cluster.api.patch(cluster.path("configmaps", "-text"), {"data": {"text": "by hand"}})
    other = {"spec": {"containers": [{"name": "ui", "image": "mine"}]}}
    cluster.api.patch(cluster.path("deployments", "-ui"), {"spec": {"template": other}})
    cluster.api.delete(cluster.path("secrets", "-secret"))
    cluster.start(drift_seconds=0.01)
    with cluster.running():
        eventually(lambda: cluster.text() == "wanted", "it is repaired")
        eventually(lambda: cluster.api.get(cluster.path("secrets", "-secret")), "what was deleted is back")
        cluster.until("succeeded")
        revision = cluster.release().revision
        wait_a_moment()
        assert cluster.release().revision == revision
    told = [event for event in cluster.events if "by hand" in event.message]
    assert len(told) == 1
    for what in ("ConfigMap", "data.text", "Deployment", "spec.template.spec.containers[0].image", "it is gone"):
        assert what in told[0].message
    assert "s3cret" not in told[0].message


def test_drift_is_only_reported_when_that_is_asked(cluster: Cluster) -> None:
    cluster.say(pipelines=())
    cluster.sync.sync()
    cluster.api.patch(cluster.path("configmaps", "-text"), {"data": {"text": "by hand"}})
    cluster.start(drift_seconds=0.01, repair=False)
    with cluster.running():
        eventually(lambda: cluster.sync.counts.drift == {STAGING: 1}, "it is found")
    assert cluster.text() == "by hand"
    assert "started" not in cluster.phases()[1:]


def test_what_helm_made_is_no_drift(cluster: Cluster) -> None:
    cluster.say(people={"replicas": 0})
    with cluster.running():
        cluster.until("running")
        cluster.job_ends(receipt())
        cluster.until("succeeded")
    for job in cluster.objects("jobs"):
        cluster.api.delete(f"/apis/batch/v1/namespaces/{job['metadata']['namespace']}/jobs/{job['metadata']['name']}")
    cluster.start(drift_seconds=0.01)
    with cluster.running():
        eventually(lambda: STAGING in cluster.sync.counts.drift, "a check")
    assert cluster.sync.counts.drift == {STAGING: 0}


def test_a_rollback_that_fails_is_told(cluster: Cluster) -> None:
    cluster.say("one")
    with cluster.running():
        cluster.until("running")
        cluster.job_ends(receipt())
        cluster.until("succeeded")
        cluster.say("two")
        cluster.until("running")
        place, kept = cluster.sync.locations[STAGING], cluster.kept()
        assert kept
        cluster.api.delete(f"/api/v1/namespaces/{place.namespace}/secrets/sh.helm.release.v1.{place.release}.v1")
        cluster.job_ends(receipt("failed", error="the reason"))
        cluster.until("failed")
    assert "It could not be rolled back: helm rollback: " in cluster.last().message


def test_a_removed_environment_stays_until_prune(cluster: Cluster) -> None:
    cluster.say("one")
    with cluster.running():
        cluster.until("running")
        cluster.job_ends(receipt())
        cluster.until("succeeded")
    cluster.ops.pull()
    (cluster.ops.work / STAGING.values_file).unlink()
    cluster.ops.push_all()
    cluster.start().sync()
    assert cluster.phase() == "removed"
    assert cluster.release()
    cluster.start(prune=True).sync()
    assert cluster.kept() is None
    assert cluster.release() is None
    eventually(lambda: cluster.objects("jobs") == [], "its Jobs are gone")


def test_a_manifest_is_read_from_helms_own_secret(cluster: Cluster) -> None:
    cluster.say(pipelines=())
    cluster.sync.sync()
    place = cluster.sync.locations[STAGING]
    assert "kind: ConfigMap" in releases.manifest(cluster.api, place.namespace, place.release, 1)
    with pytest.raises(releases.RevisionGoneError, match="helm has no revision 99 any more"):
        releases.manifest(cluster.api, place.namespace, place.release, 99)
