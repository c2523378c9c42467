"""`dppctl init kubeconfig --workers 2` as a person types it: a real API server, helm, a thread as the kubelet."""

import hashlib
import json
import re
from dataclasses import replace

import pytest
from click.testing import CliRunner

from bot.kubernetes import Object
from cli.errors import InputError
from cli.init.command import init
from cli.remote.clusters import add_cluster, read_clusters
from cli.remote.tokens import read_token
from tests.support.runs_cluster import IMAGES, READY, RunsCluster

pytestmark = pytest.mark.needs("an API server", "helm")

NO_IMAGE = {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "example.org/runtime:1"'}


def broken(pod: Object) -> Object:
    """Its worker's image is not there; other pods run."""
    if pod["metadata"]["labels"]["app.kubernetes.io/component"] != "worker":
        return READY
    image = {"name": "worker", "image": "", "imageID": "", "ready": False, "restartCount": 0}
    return {"phase": "Pending", "containerStatuses": [{**image, "state": {"waiting": NO_IMAGE}}]}


def test_it_installs_says_why_not_goes_on_tells_the_state_and_is_undone(
    runs_cluster: RunsCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = runs_cluster.init(*IMAGES, "--dry-run")
    assert f"would create the namespace {runs_cluster.namespace}" in said
    assert runs_cluster.api.get(runs_cluster.path) is None

    with monkeypatch.context() as patched, runs_cluster.kubelet(broken):
        patched.setattr("cli.init.runs.readiness.INIT_BROKEN_SECONDS", 3.0)  # the pods have no status yet
        with pytest.raises(InputError) as refused:
            runs_cluster.init(*IMAGES)
    assert "not ready: pod dppctl-runs-workers-" in str(refused.value)
    assert "name an image that the cluster can pull (--worker-image; " in str(refused.value)
    assert 'container worker: ImagePullBackOff: Back-off pulling image "example.org/runtime:1"' in str(refused.value)
    assert "lab" not in read_clusters().by_name, "what does not run yet is nobody's cluster"

    with runs_cluster.kubelet(lambda _: {**READY, "containerStatuses": []}):
        said = runs_cluster.init(*IMAGES)
        assert "Cluster is ready, starting 2 persistent worker pods\n" in said
        assert said.count("\nWorker pod: dppctl-runs-workers-") == 2
        assert said.endswith("dppctl initialization completed successfully\n")
        token = read_token("lab")
        (record,) = json.loads(runs_cluster.secret("dppctl-tokens")["tokens.json"])
        assert (record["user"], record["sha256"]) == ("token:ann", hashlib.sha256(token.encode()).hexdigest())
        assert token not in said
        keys = runs_cluster.secret("dppctl")
        assert set(keys) == {"operator-token", "pool-key", "publisher-token", "auth-service-token", "auth-key"}
        known = read_clusters()
        assert (known.current, known.by_name["lab"].service) == ("lab", "dppctl-runs-proxy")
        assert runs_cluster.api.get(f"{runs_cluster.path}/services/dppctl-runs-proxy")

        add_cluster(replace(known.by_name["lab"], login="token:ann"))  # as `dppctl login` does
        said = runs_cluster.init(*IMAGES)
        assert "  done" not in said
        assert runs_cluster.secret("dppctl") == keys
        assert "upgrade the release" in runs_cluster.init(*IMAGES, "--usage", workers=1)
        assert {*runs_cluster.secret("dppctl")} - {*keys} == {"usage-token", "proxy-service-token"}
        (pool,) = runs_cluster.api.list(
            f"/apis/apps/v1/namespaces/{runs_cluster.namespace}/deployments", "dppctl.io/pool=default"
        )
        assert pool["spec"]["replicas"] == 1
        assert pool["metadata"]["labels"]["dppctl.io/mode"] == "persistent"
        assert runs_cluster.auth_server()["DPPCTL_AUTH_MODE"] == "token"
        _with_a_login_by_github(runs_cluster, monkeypatch)

    said = runs_cluster.init("--remove")
    assert "uninstall the release dppctl-runs" in said
    assert "forget the cluster lab" in said
    assert not runs_cluster.api.list(runs_cluster.deployments)
    assert (runs_cluster.secret("dppctl"), runs_cluster.secret("dppctl-tokens")) == ({}, {})
    assert read_clusters().current == "local"
    with pytest.raises(InputError, match="there is no token"):
        read_token("lab")
    assert "nothing is there any more" in runs_cluster.init("--remove")
    runs_cluster.api.delete(runs_cluster.path)


def _with_a_login_by_github(runs_cluster: RunsCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mode changes, the rest stays; again, nothing is asked and nothing changes; and back."""
    one = ("--auth=oauth", "--url=https://dppctl.example.org", "--github-client-id=Iv1", "--admin=OriHoch")
    keys = runs_cluster.secret("dppctl")
    with pytest.raises(InputError, match="give --github-client-secret-file"):
        runs_cluster.init(*IMAGES, *one, workers=1)
    assert runs_cluster.auth_server()["DPPCTL_AUTH_MODE"] == "token", "nothing is half-done"
    monkeypatch.setenv("DPPCTL_AUTH_GITHUB_CLIENT_SECRET", "s3same")
    said = runs_cluster.init(*IMAGES, *one, workers=1)
    assert "callback address that the OAuth app needs: https://dppctl.example.org/auth/callback/github\n" in said
    assert "s3same" not in said
    assert runs_cluster.secret("dppctl") == {**keys, "auth-github-client-secret": "s3same"}
    given = runs_cluster.auth_server()
    assert (given["DPPCTL_AUTH_MODE"], given["DPPCTL_AUTH_ADMINS"]) == ("oauth", "OriHoch")
    assert runs_cluster.api.get(f"{runs_cluster.deployments}/dppctl-runs-usage"), "it stays"
    monkeypatch.delenv("DPPCTL_AUTH_GITHUB_CLIENT_SECRET")
    assert "  done" not in runs_cluster.init(*IMAGES, workers=1)
    assert "upgrade the release" in runs_cluster.init(*IMAGES, "--auth=none", "--no-usage", workers=1)
    assert runs_cluster.auth_server() == {}
    assert runs_cluster.api.get(f"{runs_cluster.deployments}/dppctl-runs-usage") is None
    assert "  done" not in runs_cluster.init(*IMAGES, workers=1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--auth=oauth", "--url=https://a.example"], "Client ID of the OAuth app at GitHub: nobody is asked with"),
        (["--auth=oauth", "--github-client-id=a", "--url=http://a.example"], "--url 'http://a.example': must be https"),
        (["--auth=oauth", "--github-client-id=a", "--url=https://a.example"], "give --admin"),
        (["--auth=oauth", "--oidc-client-id=a", "--url=https://a.example"], "give --oidc-metadata-url"),
        (["--url=a.example"], "--url 'a.example': must be like https://dppctl.example.org"),
    ],
)
def test_what_a_login_lacks_is_named_with_its_flag(runs_cluster: RunsCluster, arguments: list[str], words: str) -> None:
    with pytest.raises(InputError, match=re.escape(words)):
        runs_cluster.init(*IMAGES, "--dry-run", *arguments)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--yes", *IMAGES, "--image=dppctl"), "--image 'dppctl': name an image by its tag or digest, such as "),
        (("--yes", *IMAGES, "--cluster-name=local"), "local is this machine; choose another name"),
        (("--yes", *IMAGES, "--context=nowhere"), "nowhere"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_made(
    runs_cluster: RunsCluster, arguments: tuple[str, ...], words: str
) -> None:
    done = CliRunner().invoke(init, ["kubeconfig", "--workers=1", f"--namespace={runs_cluster.namespace}", *arguments])
    assert isinstance(done.exception, InputError)
    assert words in str(done.exception)
    assert runs_cluster.api.get(runs_cluster.path) is None


def test_this_machine_needs_no_workers(runs_cluster: RunsCluster) -> None:
    done = CliRunner().invoke(init, ["local", "--workers=1", "--yes", *IMAGES])
    assert runs_cluster.namespace
    assert str(done.exception) == "local is no Kubernetes cluster: `dppctl run` needs no --workers there"
