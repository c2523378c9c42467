"""A cluster of Google's made, used and removed: the real gcloud CLI against a small Google on loopback."""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from bot.kubeconfig import current_context
from bot.kubernetes import KubernetesClient
from cli.init.prompts import Questions
from cli.providers.gcloud import GoogleCloud
from cli.providers.kubeconfig_file import has_context
from tests.support.environment import use_kubeconfig
from tests.support.gcloud.api import GoogleApi

pytestmark = [pytest.mark.slow, pytest.mark.needs("gcloud", "an API server")]

EMAIL = "publisher-dppctl@dppctl.iam.gserviceaccount.com"
# As https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins has it.
PLUGIN = """#!/bin/sh
echo '{"apiVersion": "client.authentication.k8s.io/v1beta1", "kind": "ExecCredential", "status": {"token": "TOKEN"}}'
"""


@pytest.fixture
def google(tmp_path: Path, kubeconfig: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[GoogleApi]:
    """A project with nothing in it, and a person whose kubeconfig has a context of something else."""
    real = yaml.safe_load(Path(kubeconfig).read_text())
    plugin = tmp_path / "bin" / "gke-gcloud-auth-plugin"
    plugin.parent.mkdir()
    plugin.write_text(PLUGIN.replace("TOKEN", real["users"][0]["user"]["token"]))
    plugin.chmod(0o755)
    monkeypatch.setenv("PATH", f"{plugin.parent}{os.pathsep}{os.environ['PATH']}")
    own = {**real, "users": [{"name": real["users"][0]["name"], "user": {"token": "own"}}]}
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(own))
    use_kubeconfig(monkeypatch, str(tmp_path / "kubeconfig"))
    with GoogleApi().serving() as api:
        for name, value in api.environment(str(tmp_path / "gcloud")).items():
            monkeypatch.setenv(name, value)
        api.endpoint = {  # of a cluster, once it is ready
            "endpoint": real["clusters"][0]["cluster"]["server"].removeprefix("https://"),
            "masterAuth": {"clusterCaCertificate": real["clusters"][0]["cluster"]["certificate-authority-data"]},
        }
        yield api


def test_a_cluster_is_made_used_and_removed_and_the_bucket_stays(google: GoogleApi) -> None:
    namespace = f"gcloud-{secrets.token_hex(4)}"
    given = {"gcloudProjectId": "dppctl", "gcloudZone": "us-central1-a", "gcloudClusterNamespace": namespace}
    gcloud = GoogleCloud({**given, "gcloudKeepDays": "90"})
    assert gcloud.state().phase == "missing"
    assert gcloud.start(dry_run=False) == "make the GKE cluster dppctl (standard) in us-central1-a"
    assert gcloud.state().phase == "starting", "nobody is asked what Google has just said"
    made = google.clusters["dppctl"]
    assert made["resourceLabels"] == {"made-by": "dppctl-init"}
    assert made["workloadIdentityConfig"] == {"workloadPool": "dppctl.svc.id.goog"}
    assert made["nodePools"][0]["autoscaling"] == {"enabled": True, "minNodeCount": 0, "maxNodeCount": 3}

    made |= {"status": "RUNNING", "location": "us-central1-a", "zone": "us-central1-a", **google.endpoint}
    assert gcloud.state().phase == "ready"
    before = current_context()
    added = "add the context gke_dppctl_us-central1-a_dppctl to the kubeconfig file"
    assert gcloud.access_to_add() == added
    client, context = gcloud.connect()
    assert isinstance(client, KubernetesClient)
    assert gcloud.access_to_add() == ""
    assert (context, current_context()) == ("gke_dppctl_us-central1-a_dppctl", before), "the person's own stays current"
    assert gcloud.start(dry_run=False) == f"create the namespace {namespace} in the cluster {context}"
    assert gcloud.ready() == f"gcloud cluster is ready: context {context}, namespace {namespace}"

    lines: list[str] = []
    gcloud.prepare_runs(Questions(yes=True), lines.append, dry_run=False)
    cost, *done = lines
    assert cost.endswith("is billed by what it holds and what is read: https://cloud.google.com/storage/pricing")
    assert done == [
        "  done     make the public bucket gs://dppctl-dppctl-public, which all people can read",
        f"  done     have the publisher write there as {EMAIL}, without a key",
    ]
    bucket = google.buckets["dppctl-dppctl-public"]
    assert bucket["location"] == "us-central1"
    assert bucket["iamConfiguration"]["uniformBucketLevelAccess"]["enabled"]
    assert bucket["cors"][0]["method"] == ["GET", "HEAD"]
    deleting = bucket["lifecycle"]["rule"][1]["condition"]
    assert deleting == {"age": 90, "matchesPrefix": ["dppctl-runs-workers-"]}, "never what is deployed"
    assert {found["role"]: found["members"] for found in google.policies["dppctl-dppctl-public"]["bindings"]} == {
        "roles/storage.objectViewer": ["allUsers"],
        "roles/storage.objectUser": [f"serviceAccount:{EMAIL}"],
    }
    (identity,) = google.policies[EMAIL]["bindings"]
    assert identity["members"] == [f"serviceAccount:dppctl.svc.id.goog[{namespace}/dppctl-runs-publisher]"]

    annotations = {"iam.gke.io/gcp-service-account": EMAIL}  # as the chart makes it of `runs_values`
    assert gcloud.runs_values()["storage"]["serviceAccountAnnotations"] == annotations
    account = {"metadata": {"name": "dppctl-runs-publisher", "annotations": annotations}}
    client.create(f"/api/v1/namespaces/{namespace}/serviceaccounts", account)
    calls = len(google.calls)
    gcloud.prepare_runs(Questions(yes=True), lines.append, dry_run=False)
    assert lines[-1] == f"  ok       the publisher writes into gs://dppctl-dppctl-public as {EMAIL}"
    assert len(google.calls) == calls, "Google is not asked again for what Kubernetes says"

    assert has_context(context)
    said = "\n".join(gcloud.remove(dry_run=False))
    assert (google.clusters, google.accounts, has_context(context)) == ({}, {}, False)
    assert "dppctl-dppctl-public" in google.buckets
    assert "leave the bucket gs://dppctl-dppctl-public, with what was published" in said
    bindings = google.policies["dppctl-dppctl-public"]["bindings"]
    assert [found["role"] for found in bindings] == ["roles/storage.objectViewer"]
    assert not [call for call in google.calls if call.startswith("unknown")]
    client.delete(f"/api/v1/namespaces/{namespace}")
    assert gcloud.settings() == {**given, "gcloudClusterName": "dppctl", "gcloudKeepDays": "90"}
