"""What the chart's ServiceAccounts may do and may not, asked of a real API server after a real `helm install`."""

import json
import os
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes
import pytest

from bot.images.builders.buildkit.build_job import BuildJob
from bot.images.builders.buildkit.builder import BuildKit
from bot.images.builders.buildkit.job import Cluster, job
from bot.images.builders.interface import Order
from bot.kubernetes import ApiError, KubernetesClient
from tests.support.charts.dppctl import APPS, CHART
from tests.support.charts.installed import Installed
from tests.support.helm import helm
from tests.support.needs import needs
from tests.support.waiting import eventually
from tests.support.workloads import write_files

WRITE = ("get", "list", "watch", "create", "update", "patch", "delete")
READ = ("get", "list", "watch")
_LABELS = {"app": "kinds"}
_POD = {
    "metadata": {"labels": _LABELS, "annotations": {"number": "{{ .Values.number }}"}},
    "spec": {"containers": [{"name": "a", "image": "a"}]},
}
_SELECTED = {"selector": {"matchLabels": _LABELS}, "template": _POD}
_ONCE = {"spec": {**_POD["spec"], "restartPolicy": "Never"}}
_CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}


def _object(version: str, kind: str, **fields: Any) -> dict[str, Any]:
    metadata = {"name": "kinds", "labels": {"number": "n{{ .Values.number }}"}}
    if kind == "PersistentVolumeClaim":
        metadata["annotations"] = {"helm.sh/resource-policy": "keep"}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **fields}


KINDS = [
    _object("v1", "Secret", stringData={"number": "{{ .Values.number }}"}),
    _object("v1", "ConfigMap", data={"number": "{{ .Values.number }}"}),
    _object("v1", "Service", spec={"selector": _LABELS, "ports": [{"port": 80, "protocol": "TCP"}]}),
    _object("v1", "PersistentVolumeClaim", spec=_CLAIM),
    _object("apps/v1", "Deployment", spec=_SELECTED),
    _object("apps/v1", "StatefulSet", spec={**_SELECTED, "serviceName": "kinds"}),
    _object("batch/v1", "Job", spec={"template": _ONCE}),
    _object("networking.k8s.io/v1", "NetworkPolicy", spec={"podSelector": {}}),
    _object(
        "networking.k8s.io/v1", "Ingress", spec={"defaultBackend": {"service": {"name": "a", "port": {"number": 1}}}}
    ),
]  # CronJob is asked of below: old API servers have it under another version


def values(installed: Installed, environments: dict[str, str]) -> str:
    builds = {"builder": "buildkit", "buildkit": {"namespace": installed.builds}}
    runs = {"runs": {"enabled": True}, "pool": {"workers": {"image": "example.org/runtime:1"}}}
    auth = {"auth": {"mode": "token"}, "publicUrl": "https://dppctl.example.org"}
    sync = {"apps": APPS, "sync": {"environments": environments}, "ingress": {"enabled": True}}
    return json.dumps({**sync, **builds, **runs, **auth})


@pytest.fixture(scope="module")
@needs("an API server", "helm")
def installed() -> Iterator[Installed]:
    kubeconfig = os.environ.get("DPPCTL_TEST_KUBECONFIG", "")
    client = kubernetes.config.new_client_from_config(kubeconfig)
    found = Installed(kubeconfig, f"rights-{secrets.token_hex(3)}", kubernetes.client.AuthorizationV1Api(client))
    for namespace in (found.own, found.data, found.builds, found.other):
        assert found.kubectl("create", "namespace", namespace).returncode == 0
    found.helm("install", "dppctl", str(CHART), "--values", "-", given=values(found, {"staging": found.data}))
    yield found
    found.helm("uninstall", "dppctl")
    client.close()


def test_sync_may_do_what_helm_needs_in_its_environments(installed: Installed) -> None:
    kinds = (
        *("secrets", "configmaps", "services", "deployments.apps", "statefulsets.apps", "jobs.batch"),
        *("cronjobs.batch", "networkpolicies.networking.k8s.io", "ingresses.networking.k8s.io"),
    )
    for kind in kinds:
        for verb in WRITE:
            assert installed.may("sync", installed.data, verb, kind), (verb, kind)
    for verb in WRITE[:-1]:
        assert installed.may("sync", installed.data, verb, "persistentvolumeclaims"), verb
    for verb in READ:
        assert installed.may("sync", installed.data, verb, "pods"), verb
        assert installed.may("sync", installed.data, verb, "replicasets.apps"), verb
    assert installed.may("sync", installed.data, "delete", "pods")
    assert installed.may("sync", installed.data, "get", "pods", "log")
    assert installed.may("sync", installed.data, "list", "events")


@pytest.mark.parametrize("verb", WRITE)
def test_sync_may_hold_its_lease_in_its_own_namespace_and_no_more(installed: Installed, verb: str) -> None:
    leases = "leases.coordination.k8s.io"
    assert installed.may("sync", installed.own, verb, leases) == (verb in ("get", "create", "update"))
    for account, namespace in (("sync", installed.data), ("sync", installed.other), ("bot", installed.own)):
        assert not installed.may(account, namespace, verb, leases)


def test_the_bot_may_do_what_a_build_needs(installed: Installed) -> None:
    for what in (
        *(("create", "jobs.batch"), ("get", "jobs.batch"), ("delete", "jobs.batch")),
        *(("get", "pods"), ("list", "pods"), ("delete", "pods")),
        *(("get", "pods", "log"), ("create", "pods", "exec"), ("get", "pods", "exec")),
    ):
        assert installed.may("bot", installed.builds, *what), what


def test_the_bots_own_token_is_enough_for_a_build(installed: Installed, tmp_path: Path) -> None:
    """Up to the pod, which this API server starts only when it has a node."""
    cluster = Cluster(namespace=installed.builds, kubeconfig=str(installed.kubeconfig_of("bot", tmp_path)))
    assert BuildKit(cluster).probe().works
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    order = Order(context=tmp_path, dockerfile=tmp_path / "Dockerfile", destination="registry.example.org/app:1")
    build_job = BuildJob(KubernetesClient(cluster.kubeconfig), cluster.namespace, "build-1")
    build_job.create(job(order, cluster, "build-1", 60, frozenset()))
    eventually(build_job.pod, "the Job has a pod")
    build_job.delete()
    eventually(lambda: not installed.kubectl("get", "jobs,pods", "-n", installed.builds, "-o", "name").stdout, "gone")
    elsewhere = Cluster(namespace=installed.own, kubeconfig=cluster.kubeconfig)
    assert "this account may not create jobs" in BuildKit(elsewhere).probe().what


@pytest.mark.parametrize("major", [3, 4])
def test_syncs_own_token_is_enough_for_helm(installed: Installed, tmp_path: Path, major: int) -> None:
    """One object of each kind that the pipelines chart renders: installed, changed, rolled back and uninstalled."""
    chart = write_files(tmp_path / "chart", {"Chart.yaml": "apiVersion: v2\nname: kinds\nversion: 0.1.0\n"})
    (chart / "templates").mkdir()
    (chart / "templates" / "all.yaml").write_text("\n---\n".join(json.dumps(one) for one in KINDS))
    program = [str(helm(major)), f"--kubeconfig={installed.kubeconfig_of('sync', tmp_path)}"]

    def run(*arguments: str, namespace: str = "") -> str:
        command = [*program, f"--namespace={namespace or installed.data}", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.stderr if done.returncode else "done"

    for number in ("1", "2"):
        assert run("upgrade", "--install", "kinds", str(chart), "--set", f"number={number}") == "done"
    assert run("rollback", "kinds", "1") == "done"
    assert run("uninstall", "kinds") == "done"
    left = installed.kubectl("get", "persistentvolumeclaims,jobs", "--namespace", installed.data, "-o", "name").stdout
    assert left.split() == ["persistentvolumeclaim/kinds"]
    assert "forbidden" in run("upgrade", "--install", "kinds", str(chart), namespace=installed.other)
    assert installed.kubectl("delete", "pvc", "kinds", "--namespace", installed.data, "--wait=false").returncode == 0


RBAC = "rbac.authorization.k8s.io"
ADMISSION = "admissionregistration.k8s.io"
NOBODY = [
    *(("get", "secrets"), ("list", "secrets"), ("get", "configmaps"), ("delete", "persistentvolumeclaims")),
    *(("create", "pods"), ("create", "deployments.apps"), ("create", "jobs.batch"), ("get", "pods", "log")),
    *((verb, "pods", part) for part in ("exec", "attach", "portforward") for verb in ("create", "get")),
    *(("create", f"roles.{RBAC}"), ("create", f"rolebindings.{RBAC}"), ("create", "serviceaccounts", "token")),
]
CLUSTER = [
    *(("create", f"clusterroles.{RBAC}"), ("escalate", f"clusterroles.{RBAC}"), ("bind", f"clusterroles.{RBAC}")),
    *(("create", f"clusterrolebindings.{RBAC}"), ("impersonate", "users"), ("impersonate", "serviceaccounts")),
    *(("list", "namespaces"), ("create", "namespaces"), ("delete", "namespaces"), ("list", "nodes")),
    *(("get", "nodes", "proxy"), ("list", "persistentvolumes"), ("delete", "persistentvolumes")),
    *(
        ("create", "customresourcedefinitions.apiextensions.k8s.io"),
        ("create", f"mutatingwebhookconfigurations.{ADMISSION}"),
    ),
]


def test_operator_and_proxy_may_do_what_runs_need_and_no_more(installed: Installed) -> None:
    """Every verb and every kind of theirs is asked of, in each namespace: what is not listed is refused."""
    runs, status = ("pipelineruns.dppctl.io",), ("pipelineruns.dppctl.io", "status")
    scale, kinds = ("deployments.apps", "scale"), (("pods",), ("pods", "exec"), ("pods", "log"), ("secrets",))
    allowed = {
        "operator": {
            runs: {"get", "list", "watch", "create", "delete"},
            status: {"patch"},
            ("pods",): {"get", "list", "watch", "patch", "delete"},
            ("deployments.apps",): {"get", "list", "watch"},
        },
        "proxy": {
            runs: {"get", "list", "create", "patch"},
            ("pods",): {"get", "list", "delete"},
            ("deployments.apps",): {"list"},
            ("pods", "exec"): {"get", "create"},
        },
    }
    for account, rights in allowed.items():
        for what in (runs, status, *kinds, ("deployments.apps",), scale, ("configmaps",), ("jobs.batch",)):
            for verb in WRITE:
                given = verb in rights.get(what, set())
                assert installed.may(account, installed.own, verb, *what) == given, (account, verb, what)
                assert not installed.may(account, installed.data, verb, *what), (account, verb, what)


def test_their_own_tokens_are_enough_and_refused_beyond(installed: Installed, tmp_path: Path) -> None:
    """What the API server says to a call with the token of each."""
    operator, proxy = (KubernetesClient(str(installed.kubeconfig_of(name, tmp_path))) for name in ("operator", "proxy"))
    runs = f"/apis/dppctl.io/v1alpha1/namespaces/{installed.own}/pipelineruns"
    spec = {"pipelines": ["all"], "workload": {"sha256": "0" * 64, "bytes": 0}}
    run = {"apiVersion": "dppctl.io/v1alpha1", "kind": "PipelineRun", "metadata": {"name": "a"}, "spec": spec}
    proxy.create(runs, run)
    operator.patch(f"{runs}/a/status", {"status": {"phase": "Failed"}})
    assert [found["status"]["phase"] for found in proxy.list(runs)] == ["Failed"]
    pool = f"/apis/apps/v1/namespaces/{installed.own}/deployments/dppctl-workers"
    for refused in (
        lambda: proxy.patch(f"{runs}/a/status", {"status": {"phase": "Succeeded"}}),
        lambda: proxy.delete(f"{runs}/a"),
        lambda: operator.patch(f"{runs}/a", {"spec": {"user": "token:ann"}}),
        lambda: operator.patch(f"{pool}/scale", {"spec": {"replicas": 9}}),
        lambda: operator.get(f"/api/v1/namespaces/{installed.own}/secrets/dppctl"),
        lambda: proxy.get(f"/api/v1/namespaces/{installed.own}/secrets/dppctl-tokens"),
    ):
        with pytest.raises(ApiError, match="forbidden"):
            refused()
    operator.delete(f"{runs}/a")


@pytest.mark.parametrize("account", ["sync", "bot", "webhooks", "database", "auth"])
def test_elsewhere_and_in_the_cluster_as_a_whole_nobody_may_do_anything(installed: Installed, account: str) -> None:
    for what in CLUSTER:
        assert not installed.may(account, installed.own, *what), what
    for namespace in ("kube-system", installed.other, installed.own):
        for what in NOBODY:
            assert not installed.may(account, namespace, *what), (namespace, what)


@pytest.mark.parametrize(
    ("account", "namespace", "what"),
    [
        ("sync", "data", ("create", "pods")),
        ("sync", "data", ("create", "pods", "exec")),
        ("sync", "data", ("get", "pods", "exec")),
        ("sync", "data", ("create", "pods", "attach")),
        ("sync", "data", ("delete", "persistentvolumeclaims")),
        ("sync", "data", ("create", "roles.rbac.authorization.k8s.io")),
        ("sync", "data", ("create", "rolebindings.rbac.authorization.k8s.io")),
        ("sync", "data", ("create", "serviceaccounts")),
        ("sync", "data", ("create", "serviceaccounts", "token")),
        ("sync", "data", ("create", "daemonsets.apps")),
        ("sync", "builds", ("get", "secrets")),
        ("sync", "builds", ("create", "jobs.batch")),
        ("bot", "data", ("get", "secrets")),
        ("bot", "data", ("create", "jobs.batch")),
        ("bot", "data", ("create", "pods", "exec")),
        ("bot", "builds", ("get", "secrets")),
        ("bot", "builds", ("create", "secrets")),
        ("bot", "builds", ("create", "pods")),
        ("bot", "builds", ("create", "configmaps")),
        ("bot", "builds", ("patch", "jobs.batch")),
        ("webhooks", "data", ("get", "pods")),
        ("webhooks", "builds", ("get", "pods")),
        ("database", "data", ("get", "secrets")),
    ],
)
def test_where_one_may_do_something_it_may_not_do_more(
    installed: Installed, account: str, namespace: str, what: tuple[str, ...]
) -> None:
    assert not installed.may(account, getattr(installed, namespace), *what)


def test_an_upgrade_with_other_environments_moves_the_rights(installed: Installed) -> None:
    """`helm upgrade` takes the Role away where an environment is no more."""
    others = values(installed, {"production": installed.other})
    installed.helm("upgrade", "dppctl", str(CHART), "--values", "-", given=others)
    assert installed.may("sync", installed.other, "create", "jobs.batch")
    assert not installed.may("sync", installed.data, "get", "secrets")
    installed.helm("rollback", "dppctl", "1")
    assert installed.may("sync", installed.data, "create", "jobs.batch")
    assert not installed.may("sync", installed.other, "get", "secrets")
