"""`dppctl init kubeconfig --workers 2` as a person types it: a real API server, helm, a thread as the kubelet."""

import base64
import hashlib
import json
import os
import re
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from bot.errors import DppctlError
from bot.kubernetes import KubernetesClient, Object
from cli.errors import InputError
from cli.init.command import init
from cli.remote.clusters import add_cluster, read_clusters
from cli.remote.tokens import read_token
from tests.support.helm import helm

pytestmark = pytest.mark.needs("an API server", "helm")

IMAGES = ("--image", "example.org/dppctl:1", "--worker-image", "example.org/runtime:1")
READY = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
NO_IMAGE = {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "example.org/runtime:1"'}


class Cluster:
    """A namespace, and what a person types and reads about it."""

    def __init__(self) -> None:
        self.api = KubernetesClient()
        self.namespace = f"init-{secrets.token_hex(4)}"
        self.path = f"/api/v1/namespaces/{self.namespace}"
        self.deployments = f"/apis/apps/v1/namespaces/{self.namespace}/deployments"

    def init(self, *more: str, workers: int = 2) -> str:
        arguments = ["kubeconfig", f"--workers={workers}", f"--namespace={self.namespace}", "--cluster-name=lab", *more]
        done = CliRunner().invoke(init, [*arguments, "--yes", "--token-user=ann"])
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.output

    def secret(self, name: str) -> dict[str, str]:
        found = self.api.get(f"{self.path}/secrets/{name}") or {}
        return {key: base64.b64decode(value).decode() for key, value in (found.get("data") or {}).items()}

    def auth_server(self) -> dict[str, str]:
        """What its container is told; nothing where there is none."""
        found = self.api.get(f"{self.deployments}/dppctl-runs-auth")
        (container,) = found["spec"]["template"]["spec"]["containers"] if found else [{"env": []}]
        return {each["name"]: each.get("value", "") for each in container["env"]}

    @contextmanager
    def kubelet(self, status: Callable[[Object], Object]) -> Iterator[None]:
        """Say this of each pod, as its node would."""
        ended = threading.Event()

        def work() -> None:
            while not ended.wait(0.1):
                with suppress(DppctlError):
                    for pod in self.api.list(f"{self.path}/pods"):
                        self.api.patch(f"{self.path}/pods/{pod['metadata']['name']}/status", {"status": status(pod)})

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


@pytest.fixture
def cluster(kubeconfig: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    assert kubeconfig
    monkeypatch.setattr("cli.config_option.home_folder", lambda: tmp_path)
    for module in ("clusters", "tokens"):
        monkeypatch.setattr(f"cli.remote.{module}.home_folder", lambda: tmp_path)
    monkeypatch.setenv("PATH", f"{helm().parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    return Cluster()


def broken(pod: Object) -> Object:
    """Its worker's image is not there; other pods run."""
    if pod["metadata"]["labels"]["app.kubernetes.io/component"] != "worker":
        return READY
    image = {"name": "worker", "image": "", "imageID": "", "ready": False, "restartCount": 0}
    return {"phase": "Pending", "containerStatuses": [{**image, "state": {"waiting": NO_IMAGE}}]}


def test_it_installs_says_why_not_goes_on_tells_the_state_and_is_undone(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = cluster.init(*IMAGES, "--dry-run")
    assert f"would create the namespace {cluster.namespace}" in said
    assert cluster.api.get(cluster.path) is None

    with monkeypatch.context() as patched, cluster.kubelet(broken):
        patched.setattr("cli.init.runs.readiness.INIT_BROKEN_SECONDS", 3.0)  # the pods have no status yet
        with pytest.raises(InputError) as refused:
            cluster.init(*IMAGES)
    assert "not ready: pod dppctl-runs-workers-" in str(refused.value)
    assert 'container worker: ImagePullBackOff: Back-off pulling image "example.org/runtime:1"' in str(refused.value)
    assert "lab" not in read_clusters().by_name, "what does not run yet is nobody's cluster"

    with cluster.kubelet(lambda _: {**READY, "containerStatuses": []}):
        said = cluster.init(*IMAGES)
        assert "Cluster is ready, starting 2 persistent worker pods\n" in said
        assert said.count("\nWorker pod: dppctl-runs-workers-") == 2
        assert said.endswith("dppctl initialization completed successfully\n")
        token = read_token("lab")
        (record,) = json.loads(cluster.secret("dppctl-tokens")["tokens.json"])
        assert (record["user"], record["sha256"]) == ("token:ann", hashlib.sha256(token.encode()).hexdigest())
        assert token not in said
        keys = cluster.secret("dppctl")
        assert set(keys) == {"operator-token", "pool-key", "auth-service-token", "auth-key"}
        known = read_clusters()
        assert (known.current, known.by_name["lab"].service) == ("lab", "dppctl-runs-proxy")
        assert cluster.api.get(f"{cluster.path}/services/dppctl-runs-proxy")

        add_cluster(replace(known.by_name["lab"], login="token:ann"))  # as `dppctl login` does
        said = cluster.init(*IMAGES)
        assert "  done" not in said
        assert cluster.secret("dppctl") == keys
        assert "upgrade the release" in cluster.init(*IMAGES, "--usage", workers=1)
        assert {*cluster.secret("dppctl")} - {*keys} == {"usage-token", "proxy-service-token"}
        (pool,) = cluster.api.list(
            f"/apis/apps/v1/namespaces/{cluster.namespace}/deployments", "dppctl.io/pool=default"
        )
        assert pool["spec"]["replicas"] == 1
        assert pool["metadata"]["labels"]["dppctl.io/mode"] == "persistent"
        assert cluster.auth_server()["DPPCTL_AUTH_MODE"] == "token"
        _with_a_login_by_github(cluster, monkeypatch)

    said = cluster.init("--remove")
    assert "uninstall the release dppctl-runs" in said
    assert "forget the cluster lab" in said
    assert not cluster.api.list(cluster.deployments)
    assert (cluster.secret("dppctl"), cluster.secret("dppctl-tokens")) == ({}, {})
    assert read_clusters().current == "local"
    with pytest.raises(InputError, match="there is no token"):
        read_token("lab")
    assert "nothing is there any more" in cluster.init("--remove")
    cluster.api.delete(cluster.path)


def _with_a_login_by_github(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mode changes, the rest stays; again, nothing is asked and nothing changes; and back."""
    one = ("--auth=oauth", "--url=https://dppctl.example.org", "--github-client-id=Iv1", "--admin=OriHoch")
    keys = cluster.secret("dppctl")
    with pytest.raises(InputError, match="give --github-client-secret-file"):
        cluster.init(*IMAGES, *one, workers=1)
    assert cluster.auth_server()["DPPCTL_AUTH_MODE"] == "token", "nothing is half-done"
    monkeypatch.setenv("DPPCTL_AUTH_GITHUB_CLIENT_SECRET", "s3same")
    said = cluster.init(*IMAGES, *one, workers=1)
    assert "callback address that the OAuth app needs: https://dppctl.example.org/auth/callback/github\n" in said
    assert "s3same" not in said
    assert cluster.secret("dppctl") == {**keys, "auth-github-client-secret": "s3same"}
    given = cluster.auth_server()
    assert (given["DPPCTL_AUTH_MODE"], given["DPPCTL_AUTH_ADMINS"]) == ("oauth", "OriHoch")
    assert cluster.api.get(f"{cluster.deployments}/dppctl-runs-usage"), "it stays"
    monkeypatch.delenv("DPPCTL_AUTH_GITHUB_CLIENT_SECRET")
    assert "  done" not in cluster.init(*IMAGES, workers=1)
    assert "upgrade the release" in cluster.init(*IMAGES, "--auth=none", "--no-usage", workers=1)
    assert cluster.auth_server() == {}
    assert cluster.api.get(f"{cluster.deployments}/dppctl-runs-usage") is None
    assert "  done" not in cluster.init(*IMAGES, workers=1)


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
def test_what_a_login_lacks_is_named_with_its_flag(cluster: Cluster, arguments: list[str], words: str) -> None:
    with pytest.raises(InputError, match=re.escape(words)):
        cluster.init(*IMAGES, "--dry-run", *arguments)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--yes",), "Image of the workers, with Python and dpp: nobody is asked with --yes; give --worker-image"),
        (("--yes", *IMAGES, "--image=dppctl"), "--image 'dppctl': name an image by its tag or digest, such as "),
        (("--yes", *IMAGES, "--cluster-name=local"), "local is this machine; choose another name"),
        (("--yes", *IMAGES, "--context=nowhere"), "nowhere"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_made(
    cluster: Cluster, arguments: tuple[str, ...], words: str
) -> None:
    done = CliRunner().invoke(init, ["kubeconfig", "--workers=1", f"--namespace={cluster.namespace}", *arguments])
    assert isinstance(done.exception, InputError)
    assert words in str(done.exception)
    assert cluster.api.get(cluster.path) is None


def test_this_machine_needs_no_workers(cluster: Cluster) -> None:
    done = CliRunner().invoke(init, ["local", "--workers=1", "--yes", *IMAGES])
    assert cluster.namespace
    assert str(done.exception) == "local is no Kubernetes cluster: `dppctl run` needs no --workers there"
