"""What sync may not do is not taken for absence: real rights, taken away from a real account and given back."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from structlog.typing import EventDict

from bot.kubernetes import KubernetesClient
from cluster.sync.helm.helm import Helm
from tests.support.environment import use_kubeconfig
from tests.support.helm import helm
from tests.support.kubeconfig import kubeconfig_of
from tests.support.needs import needs
from tests.support.stories.helm_cluster import Cluster, receipt
from tests.support.waiting import eventually

ALL = ["get", "list", "watch", "create", "update", "patch", "delete"]
RULES = {
    "": ["secrets", "configmaps", "services", "pods", "pods/log"],
    "apps": ["deployments", "replicasets", "statefulsets"],
    "batch": ["jobs", "cronjobs"],
}


class Account:
    """Sync's own account, whose rights in the environments' namespaces a test changes."""

    def __init__(self, kubeconfig: str, folder: Path, namespace: str) -> None:
        self.api = KubernetesClient(kubeconfig)
        self.namespace = namespace
        base = f"/api/v1/namespaces/{namespace}/serviceaccounts"
        self.api.create(base, {"metadata": {"name": "sync"}})
        token = self.api.create(f"{base}/sync/token", {"spec": {}})["status"]["token"]
        self.kubeconfig = kubeconfig_of(folder, self.api.configuration.host)
        text = Path(self.kubeconfig).read_text().replace("t0k3n", token)
        text = text.replace('"server":', f'"certificate-authority": "{self.api.configuration.ssl_ca_cert}", "server":')
        Path(self.kubeconfig).write_text(text)

    def may(self, namespace: str, without: tuple[str, str] = ("", "")) -> None:
        """Give it all that sync needs in a namespace, but for a verb on a resource."""
        verb, resource = without
        rules = [
            {
                "apiGroups": [group],
                "resources": [name],
                "verbs": [each for each in ALL if (each, name) != (verb, resource)],
            }
            for group, names in RULES.items()
            for name in names
        ]
        self._put(namespace, "roles", {"metadata": {"name": "sync"}, "rules": rules})
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "sync"}
        subject = {"kind": "ServiceAccount", "name": "sync", "namespace": self.namespace}
        self._put(
            namespace, "rolebindings", {"metadata": {"name": "sync"}, "roleRef": reference, "subjects": [subject]}
        )

    def may_nothing(self, namespace: str) -> None:
        """Take all of its rights away."""
        self.api.delete(self._path(namespace, "rolebindings") + "/sync")

    def _put(self, namespace: str, kind: str, body: dict[str, object]) -> None:
        path = self._path(namespace, kind)
        if self.api.get(f"{path}/sync"):
            self.api.patch(f"{path}/sync", body)
        else:
            self.api.create(path, body)

    def _path(self, namespace: str, kind: str) -> str:
        return f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/{kind}"


@pytest.fixture
@needs("helm")
def strict(tmp_path: Path, kubeconfig: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Cluster, Account]]:
    """Give sync that is an account of its own, which has its rights."""
    monkeypatch.setattr("cluster.sync.helm.sync.SYNC_RETRY_SECONDS", 0.05)
    monkeypatch.setattr("cluster.sync.helm.sync.MAX_SYNC_RETRY_SECONDS", 0.1)
    with closing(Cluster(tmp_path, kubeconfig)) as made:
        account = Account(kubeconfig, tmp_path, made.namespaces["staging"])
        for namespace in made.namespaces.values():
            account.may(namespace)
        use_kubeconfig(monkeypatch, account.kubeconfig)
        made.helm = Helm(str(helm()), tmp_path / "helm-of-sync", 20)
        made.api_of_sync = own = KubernetesClient()
        eventually(lambda: own.may("list", "", "secrets", made.namespaces["production"]), "it has its rights")
        made.start()
        yield made, account


def test_without_its_rights_sync_leaves_what_runs_as_it_is(
    strict: tuple[Cluster, Account], warned: list[EventDict]
) -> None:
    cluster, account = strict
    namespace = cluster.namespaces["staging"]
    cluster.say("one")
    with cluster.running():
        cluster.until("running")
        cluster.job_ends(receipt())
        cluster.until("succeeded")
    before, runs = cluster.kept(), cluster.helm.runs
    assert before
    lost: list[tuple[str, str] | None] = [None, ("list", "configmaps"), ("list", "secrets")]
    for without in lost:
        if without is None:
            account.may_nothing(namespace)
        else:
            account.may(namespace, without)
        verb, resource = without or ("list", "secrets")
        eventually(
            lambda verb=verb, resource=resource: not cluster.api_of_sync.may(verb, "", resource, namespace),
            "it is taken away",
        )
        warned.clear()
        cluster.start(drift_seconds=0.0)
        for _ in range(3):
            assert not cluster.sync.look()
            cluster.sync._collect(5.0)
        assert [event["event"] for event in warned] == ["namespace not read"]
        assert cluster.sync.counts.phases == {"unread": 1, "none": 1}
        told = cluster.last().message
        assert cluster.last().phase == "progress"
        assert told.startswith(f"waiting: namespace {namespace} cannot be read; is it there, with sync's Role")
        account.may(namespace)
        eventually(
            lambda verb=verb, resource=resource: cluster.api_of_sync.may(verb, "", resource, namespace),
            "it is given back",
        )
        eventually(cluster.start().sync, "it is read again", 20)
    assert (cluster.kept(), cluster.helm.runs) == (before, runs)
    assert cluster.phases() == ["started", "succeeded"]


@pytest.mark.parametrize(
    "without",
    [
        ("patch", "configmaps"), ("get", "jobs"), ("list", "pods"), ("create", "secrets"), ("patch", "deployments"),
    ],
    ids="-".join,
)  # fmt: skip
def test_a_verb_that_is_missing_for_a_while_fails_no_deployment(
    strict: tuple[Cluster, Account], without: tuple[str, str]
) -> None:
    cluster, account = strict
    namespace = cluster.namespaces["staging"]
    account.may(namespace, without)
    verb, resource = without
    group = next(name for name, resources in RULES.items() if resource in resources)
    eventually(lambda: not cluster.api_of_sync.may(verb, group, resource, namespace), "it is taken away")
    cluster.say("one")
    with cluster.running():
        eventually(lambda: [event for event in cluster.events if "cannot" in event.message], "it is told", 40)
        account.may(namespace)
        cluster.until("running")
        cluster.job_ends(receipt())
        cluster.until("succeeded")
    assert "failed" not in cluster.phases()
    assert "superseded" not in cluster.phases()
