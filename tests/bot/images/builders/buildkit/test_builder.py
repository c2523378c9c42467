"""buildkit: the Job's manifest against the schemas of many Kubernetes versions, and one API server.

The API server has no node, so no pod ever runs: what is tried for real is everything up to that, and the end.
"""

import os
import re
import tarfile
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import kubernetes
import pytest

from bot.images.builders.buildkit.build_job import BuildJob
from bot.images.builders.buildkit.builder import BuildKit, pack
from bot.images.builders.buildkit.job import Cluster, arguments, insecure_host, job
from bot.images.builders.interface import BuildPutOffError, Order
from bot.images.builders.process import Deadline
from bot.kubernetes import KubernetesClient
from bot.limits import BUILD_START_SECONDS
from bot.process import StoppedError
from tests.support.builders import built
from tests.support.needs import needs
from tests.support.schemas import VERSIONS, validate
from tests.support.waiting import eventually
from tests.support.workloads import write_files

HTTP = frozenset({"registry.local:5000"})


@pytest.fixture
def order(tmp_path: Path) -> Order:
    write_files(tmp_path, {"app/Dockerfile": "FROM scratch\n", "app/data/a.csv": "a\n", "token": "t0k3n"})
    return Order(
        context=tmp_path / "app",
        dockerfile=tmp_path / "app" / "Dockerfile",
        destination="registry.example.org:443/ann/app:1",
        target="small",
        arguments={"WHO": "ann; echo $(id)"},
        labels={"org.example.commit": "1234"},
        secrets={"pip": tmp_path / "token"},
    )


def rendered(order: Order, **settings: Any) -> dict[str, Any]:
    return job(order, Cluster(**settings), "build-1", 3600, HTTP)


@pytest.mark.parametrize("settings", [{}, {"auth_secret": "registry-login"}])
def test_the_job_is_valid_in_every_version(order: Order, settings: Mapping[str, str]) -> None:
    """Ask the versions between the oldest and the newest about the Job that has everything."""
    validate([rendered(order, **settings)], VERSIONS if settings else (VERSIONS[0], VERSIONS[-1]))


def test_the_pod_has_few_rights_and_ends_in_time(order: Order) -> None:
    spec = rendered(order, auth_secret="registry-login")["spec"]
    assert (spec["backoffLimit"], spec["activeDeadlineSeconds"]) == (0, 3600)
    pod = spec["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    files, buildkit = pod["initContainers"][0], pod["containers"][0]
    assert files["securityContext"]["allowPrivilegeEscalation"] is False
    assert "privileged" not in str(pod)
    # The login is where the image is pushed, not where the app's files are unpacked.
    assert "/login" in [mount["mountPath"] for mount in buildkit["volumeMounts"]]
    assert "/login" not in [mount["mountPath"] for mount in files["volumeMounts"]]


def test_no_value_becomes_part_of_a_shell_command(order: Order) -> None:
    container = rendered(order)["spec"]["template"]["spec"]["containers"][0]
    assert "--opt=build-arg:WHO=ann; echo $(id)" in container["args"]
    assert not any("ann" in part for part in container["command"])
    assert "t0k3n" not in str(rendered(order))


def test_what_buildctl_is_asked(order: Order) -> None:
    assert arguments(order, HTTP) == [
        "build",
        "--progress=plain",
        "--frontend=dockerfile.v0",
        "--local=context=/work/files/context",
        "--local=dockerfile=/work/files/dockerfile",
        "--output=type=image,name=registry.example.org:443/ann/app:1,push=true",
        "--no-cache",
        "--opt=target=small",
        "--opt=build-arg:WHO=ann; echo $(id)",
        "--opt=label:org.example.commit=1234",
        "--secret=id=pip,src=/work/secrets/pip",
    ]


def test_layers_are_kept_in_the_apps_own_repository_but_for_those_of_a_build_with_secrets(order: Order) -> None:
    cache = "type=registry,ref=registry.example.org:443/ann/app:buildcache"
    kept = [f"--import-cache={cache}", f"--export-cache={cache},mode=max,ignore-error=true"]
    asked = arguments(replace(order, secrets={}), HTTP)
    assert [part for part in asked if "cache" in part] == kept
    asked = arguments(replace(order, rebuild=True, secrets={}), HTTP)
    assert "--no-cache" in asked
    assert not any(part.startswith("--import-cache") for part in asked)


def test_a_registry_without_tls_is_used_only_where_that_was_said() -> None:
    assert insecure_host("registry.local:5000/a:1", HTTP)
    assert insecure_host("127.0.0.1:5000/a:1", frozenset())
    assert insecure_host("localhost/a:1", frozenset())
    assert not insecure_host("registry.example.org/a:1", HTTP)
    assert not insecure_host("localhost.example.org:5000/a:1", HTTP)


def test_the_archive_holds_the_app_its_dockerfile_and_its_secrets(order: Order) -> None:
    archive = BytesIO()
    pack(order, HTTP, archive)
    archive.seek(0)
    with tarfile.open(fileobj=archive) as tar:
        names = tar.getnames()
        config = tar.extractfile("files/buildkitd.toml")
        assert config
        assert config.read() == b'[registry."registry.local:5000"]\nhttp = true\n'
    assert set(names) == {
        "files/context",
        "files/context/Dockerfile",
        "files/context/data",
        "files/context/data/a.csv",
        "files/dockerfile/Dockerfile",
        "files/buildkitd.toml",
        "files/source-policy.json",
        "secrets/pip",
    }


def test_a_registrys_own_authorities_come_along(order: Order, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("CERTIFICATES")
    archive = BytesIO()
    pack(order, frozenset(), archive, ("registry.example.org:443", tmp_path / "ca.pem"))
    archive.seek(0)
    with tarfile.open(fileobj=archive) as tar:
        config, authorities = tar.extractfile("files/buildkitd.toml"), tar.extractfile("files/registry-ca.pem")
        assert config
        assert authorities
        expected = b'[registry."registry.example.org:443"]\nca = ["/work/files/registry-ca.pem"]\n'
        assert (config.read(), authorities.read()) == (expected, b"CERTIFICATES")
    manifest = job(order, Cluster(), "build-1", 60, frozenset(), configured=True)
    flags = manifest["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"]
    assert "--config=/work/files/buildkitd.toml" in flags


def test_without_a_cluster_it_says_so(order: Order, tmp_path: Path) -> None:
    builder = BuildKit(Cluster(kubeconfig=str(tmp_path / "none")))
    found = builder.probe()
    assert (found.works, found.what.partition(":")[0]) == (False, "no cluster is configured")
    with pytest.raises(BuildPutOffError, match=r"^no cluster is configured: "):
        built(builder, order)


@pytest.fixture
@needs("an API server")
def cluster(tmp_path: Path) -> Cluster:
    """A namespace of its own in the cluster that DPPCTL_TEST_KUBECONFIG names; its API server is enough."""
    kubeconfig = os.environ.get("DPPCTL_TEST_KUBECONFIG", "")
    namespace = f"builds-{abs(hash(tmp_path)) % 10**8}"
    with kubernetes.config.new_client_from_config(kubeconfig) as client:
        body = {"metadata": {"name": namespace}}
        kubernetes.client.CoreV1Api(client).create_namespace(body)
    return Cluster(namespace=namespace, kubeconfig=kubeconfig)


def jobs(cluster: Cluster) -> list[str]:
    with kubernetes.config.new_client_from_config(cluster.kubeconfig) as client:
        items = kubernetes.client.BatchV1Api(client).list_namespaced_job(cluster.namespace).items
        pods = kubernetes.client.CoreV1Api(client).list_namespaced_pod(cluster.namespace).items
        return [one.metadata.name for one in (*items, *pods)]


def test_a_cluster_that_answers_works(cluster: Cluster) -> None:
    found = BuildKit(cluster).probe()
    assert found.works
    assert found.what.endswith(f", namespace {cluster.namespace}")


def test_stop_removes_the_job_and_its_pod(order: Order, cluster: Cluster) -> None:
    stop, raised = threading.Event(), list[BaseException]()

    def build() -> None:
        try:
            BuildKit(cluster).build(order, print, stop)
        except StoppedError as error:
            raised.append(error)

    thread = threading.Thread(target=build)
    thread.start()
    eventually(lambda: len(jobs(cluster)) == 2, "the cluster made a pod of the job")
    stop.set()
    thread.join(20)
    assert raised
    eventually(lambda: jobs(cluster) == [], "both are gone")


def test_a_build_that_no_node_takes_is_put_off(order: Order, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.images.builders.buildkit.builder.BUILD_START_SECONDS", 3)
    with pytest.raises(BuildPutOffError, match=r"^the cluster did not start BuildKit within 3 seconds: "):
        built(BuildKit(cluster), order)
    assert BUILD_START_SECONDS > 60
    eventually(lambda: jobs(cluster) == [], "job and pod are gone")


def test_a_pod_that_is_gone_ends_the_build_at_once_and_not_as_an_error_of_the_builder(
    order: Order, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.images.builders.buildkit.builder.BUILD_START_SECONDS", 60)
    raised = list[BaseException]()

    def build() -> None:
        try:
            built(BuildKit(cluster), order)
        except BuildPutOffError as error:
            raised.append(error)

    thread = threading.Thread(target=build)
    thread.start()
    with kubernetes.config.new_client_from_config(cluster.kubeconfig) as client:
        pods = kubernetes.client.CoreV1Api(client)
        eventually(lambda: pods.list_namespaced_pod(cluster.namespace).items, "the cluster made a pod of the job")
        time.sleep(1.0)  # the builder looks twice a second
        pods.delete_collection_namespaced_pod(cluster.namespace, grace_period_seconds=0)
    thread.join(30)
    assert re.fullmatch(r"the pod of the build build-\w+ is gone: .*", str(raised[0]))


def test_a_pod_that_is_gone_between_the_list_and_what_is_asked_of_it_is_no_404(
    order: Order, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_job = BuildJob(KubernetesClient(cluster.kubeconfig), cluster.namespace, "build-1")
    build_job.create(job(order, cluster, "build-1", 60, frozenset()))
    pod = eventually(build_job.pod, "the Job has a pod")
    build_job.delete()
    eventually(lambda: jobs(cluster) == [], "both are gone")
    monkeypatch.setattr(build_job, "_list", lambda: [pod])  # as it was a moment ago
    with pytest.raises(BuildPutOffError, match=r"^the pod of the build build-1 is gone: "):
        build_job.send(BytesIO(b"files"), Deadline(threading.Event(), 60))
    build_job.delete()


def test_a_namespace_that_is_not_there_is_told(order: Order, cluster: Cluster) -> None:
    elsewhere = Cluster(namespace="nowhere", kubeconfig=cluster.kubeconfig)
    with pytest.raises(BuildPutOffError, match=r'^the cluster refused: 404 Not Found: namespaces "nowhere" not found$'):
        built(BuildKit(elsewhere), order)
