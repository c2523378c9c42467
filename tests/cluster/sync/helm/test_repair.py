"""What somebody deleted comes back as it was: a database's password above all."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.typing import EventDict

from tests.support.charts.apps import bot_values
from tests.support.charts.rendering import CHART
from tests.support.cluster import Namespace
from tests.support.needs import needs
from tests.support.stories.helm_cluster import Cluster
from tests.support.waiting import eventually
from tests.support.world import STAGING

RANDOM = """
    apiVersion: v1
    kind: Secret
    metadata:
      name: {{ .Release.Name }}-database
      annotations: {helm.sh/resource-policy: keep}
    data:
      {{- $password := randAlphaNum 32 | b64enc }}
      {{- with lookup "v1" "Secret" .Release.Namespace (printf "%s-database" .Release.Name) }}
      {{- $password = .data.password }}
      {{- end }}
      password: {{ $password }}
"""


def password(cluster: Cluster) -> str:
    found = cluster.api.get(cluster.path("secrets", "-database"))
    return str(found["data"]["password"]) if found else ""


def test_a_deleted_password_comes_back_from_the_release(cluster: Cluster) -> None:
    cluster.ops.push({"chart/templates/database.yaml": RANDOM})
    cluster.say(pipelines=())
    assert cluster.sync.sync()
    before, revision = password(cluster), cluster.release().revision
    assert before
    cluster.api.delete(cluster.path("secrets", "-database"))
    cluster.start(drift_seconds=0.01)
    with cluster.running():
        eventually(lambda: password(cluster), "the Secret is back")
        eventually(lambda: cluster.sync.counts.drift == {STAGING: 0}, "nothing is left to repair")
    assert password(cluster) == before
    assert cluster.release().revision == revision
    assert "repaired what was changed by hand" in cluster.last().message
    assert cluster.phases()[-1] == "succeeded"


def test_a_deleted_password_stays_the_same_in_a_deployment(cluster: Cluster) -> None:
    cluster.ops.push({"chart/templates/database.yaml": RANDOM})
    cluster.say(pipelines=())
    assert cluster.sync.sync()
    before = password(cluster)
    cluster.api.delete(cluster.path("secrets", "-database"))
    cluster.people_say({"text": "new"})
    assert cluster.start().sync()
    assert (cluster.text(), password(cluster)) == ("new", before)


def test_an_object_that_cannot_be_compared_does_not_stop_the_others(cluster: Cluster, warned: list[EventDict]) -> None:
    odd = """
        apiVersion: v1
        kind: Service
        metadata:
          name: {{ .Release.Name }}-a
        spec:
          ports: [{port: 80, protocol: TCP}]
    """
    cluster.ops.push({"chart/templates/a-service.yaml": odd})
    cluster.say(pipelines=(), people={"text": "wanted"})
    assert cluster.sync.sync()
    path = cluster.api.path

    def unknown(manifest: dict[str, object], namespace: str) -> str:  # as when its API is not served any more
        return path({**manifest, "kind": "Gone"} if manifest["kind"] == "Service" else manifest, namespace)

    cluster.api.path = unknown  # type: ignore[method-assign,assignment]
    cluster.api.patch(cluster.path("configmaps", "-text"), {"data": {"text": "by hand"}})
    cluster.start(drift_seconds=0.01)
    with cluster.running():
        eventually(lambda: cluster.text() == "wanted", "the others are repaired")
        eventually(lambda: cluster.sync.counts.drift == {STAGING: 0}, "and looked at again")
    lines = [event for event in warned if event["event"] == "not compared with its manifest"]
    assert len(lines) == 1
    assert "the cluster has no Gone of v1" in lines[0]["change"]


@pytest.fixture
@needs("helm")
def namespace(tmp_path: Path, kubeconfig: str) -> Iterator[Namespace]:
    assert kubeconfig
    made = Namespace(f"repair-{secrets.token_hex(4)}", tmp_path)
    made.kubectl("create", "namespace", made.name)
    yield made
    made.kubectl("delete", "namespace", made.name, "--wait=false")


def test_the_chart_makes_no_password_for_a_database_that_has_one(namespace: Namespace) -> None:
    values = bot_values(pipelines=()), {"database": {"enabled": True}, "kubernetes": {"cronJobApiVersion": "none"}}
    namespace.deploy(CHART, *values)
    eventually(lambda: namespace.get("persistentvolumeclaims"), "the database's claim is made")
    namespace.kubectl("delete", "secret", "app-database")
    again = ["upgrade", "app", CHART, "--values", namespace.folder / "app-0.yaml"]
    done = namespace.helm(*again, "--values", namespace.folder / "app-1.yaml")
    assert done.returncode == 1
    assert "the Secret app-database with the password is gone" in done.stderr
    assert "PersistentVolumeClaim data-app-database-0" in done.stderr
    assert "helm get manifest app" in done.stderr
