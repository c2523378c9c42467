"""The way to a cluster: docs/cluster.md, charts/dppctl/README.md and docs/sync.md, with an API server."""

import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from bot.kubernetes import KubernetesClient
from tests.support.docs.pages import block_from
from tests.support.docs.shell import Shell, put
from tests.support.environment import REPOSITORY
from tests.support.github.fake import FakeGitHub
from tests.support.minikube import MINIKUBE
from tests.support.stories.helm_cluster import Cluster
from tests.support.stories.operator_world import RunsNamespace
from tests.support.stories.person import Person
from tests.support.waiting import eventually
from tests.support.workloads import write_files
from tests.support.world import STAGING


def test_dppctls_servers(shell: Shell, kubeconfig: str, tmp_path: Path) -> None:
    shell.environment["KUBECONFIG"] = kubeconfig
    name = f"docs-{secrets.token_hex(4)}"
    for namespace in (name, f"{name}-staging", f"{name}-production"):
        shell.prepares(f"kubectl create namespace {namespace}")
    own = {"--namespace dppctl": f"--namespace {name}"}
    files = write_files(tmp_path, {"secret": "s3cret"})
    shell.types(
        "kubectl --namespace dppctl create secret generic dppctl --from-file=webhook-secrets=FILE "
        "--from-file=github-token=FILE --from-file=sync-token=FILE --from-file=database-password=FILE",
        {**own, "FILE": str(files / "secret")},
    )
    values = put(
        block_from("charts/dppctl/README.md", "image:"),
        {"data-staging": f"{name}-staging", "data-production": f"{name}-production"},
    )
    write_files(tmp_path, {"values.yaml": values})
    shell.types(
        "helm upgrade --install dppctl charts/dppctl --namespace dppctl --values values.yaml",
        {**own, "values.yaml": str(tmp_path / "values.yaml")},
    )
    with pod_succeeds(f"/api/v1/namespaces/{name}/pods/dppctl-test"):
        assert "Succeeded" in shell.types("helm test dppctl --namespace dppctl", own)
    said = shell.types("kubectl --namespace dppctl rollout restart deployment", own)
    assert "deployment.apps/dppctl-webhooks restarted" in said


def test_init_on_a_cluster(shell: Shell, kubeconfig: str, github: FakeGitHub, tmp_path: Path) -> None:
    shell.environment |= {"KUBECONFIG": kubeconfig, "DPPCTL_GITHUB_TOKEN": "its", "DPPCTL_OWNER_TOKEN": "hers"}
    ann = Person(github, tmp_path)
    name = f"docs-{secrets.token_hex(4)}"
    urls = f"DPPCTL_GITHUB_URL={github.url}\nDPPCTL_GITHUB_API_URL={github.api_url}\n"
    config = write_files(shell.home / ".config" / "dppctl", {".env": urls})
    shell.folder = ann.app
    answers = f"--yes --namespace {name}"
    shell.types("dppctl init kubeconfig --url https://dppctl.example.org", more=answers)
    shell.folder = REPOSITORY
    shell.types(
        "helm upgrade --install dppctl charts/dppctl --namespace dppctl --values dppctl-values.yaml",
        {"--namespace dppctl": f"--namespace {name}", "dppctl-values.yaml": str(config / "dppctl-values.yaml")},
    )

    dry = f"--dry-run --yes --namespace {name} --worker-image example.org/runtime:1"
    assert "would    install the release dppctl-runs" in shell.types(
        "dppctl init kubeconfig --workers 2 --databases 1", more=dry
    )

    # minikube's program is not here: one that answers like it, whose cluster is the same API server.
    mine = write_files(tmp_path / "minikube", {"minikube": MINIKUBE, "kubeconfig": Path(kubeconfig).read_text()})
    (mine / "minikube").chmod(0o755)
    shell.environment |= {"KUBECONFIG": str(mine / "kubeconfig"), "PATH": f"{mine}:{shell.environment['PATH']}"}
    (context,) = shell.prepares("kubectl config get-contexts --output name").split()
    shell.prepares(f"kubectl config rename-context {context} minikube")
    shell.folder = ann.app
    assert "minikube cluster is ready" in shell.types("dppctl init minikube", more=answers)
    assert "would    install the release dppctl-runs" in shell.types("dppctl init minikube --workers 2", more=dry)


def test_sync(shell: Shell, cluster: Cluster, kubeconfig: str) -> None:
    environments = ",".join(f"{name}={where}" for name, where in cluster.namespaces.items())
    settings = f"DPPCTL_GITHUB_URL={cluster.world.forge.url}\nDPPCTL_SYNC_ENVIRONMENTS={environments}\nDPPCTL_PORT=0\n"
    apps = "apps:\n- {appRepoPath: ann/app, opsRepoPath: ann/ops, environments: [staging, production]}\n"
    folder = write_files(cluster.folder / "config", {"apps.yaml": apps, ".env": settings + "DPPCTL_SYNC_TOKEN=t0k3n\n"})
    own = write_files(cluster.folder / "own", {"kubeconfig": Path(kubeconfig).read_text()})
    shell.environment["KUBECONFIG"] = str(own / "kubeconfig")
    config = {"DIR": str(folder)}
    place = cluster.sync.locations[STAGING]
    release, there = {"RELEASE": place.release}, f"--namespace {place.namespace}"
    in_namespace = {"NAMESPACE": place.namespace, "namespace=dppctl": f"namespace={place.namespace}"}
    shell.types("kubectl config set-context --current --namespace=dppctl", in_namespace)

    cluster.say(pipelines=(), people={"text": "first"})
    assert "+  text: first" in shell.types("dppctl sync --config DIR --once --dry-run", config)
    assert cluster.release() is None
    shell.types("dppctl sync --config DIR --once", config)
    assert cluster.text() == "first"
    shell.folder = folder
    assert "nothing changes" in shell.types("dppctl sync --once --dry-run")

    # Somebody deploys past it, and sync deploys once more what the ops repo says.
    shell.folder = cluster.ops.work
    cluster.ops.pull()
    (shell.folder / "environments" / "staging" / "values.yaml").write_text("text: mine\n")
    shell.types(
        "helm upgrade --install RELEASE chart -n NAMESPACE -f environments/E/values.yaml "
        "-f environments/E/values.auto-updated.yaml",
        {**release, "NAMESPACE": place.namespace, "E": "staging"},
    )
    assert cluster.text() == "mine"
    shell.starts("dppctl sync --config DIR", config, until="http://")
    eventually(lambda: cluster.text() == "first", "sync repairs it")
    assert "dppctl-sync-" in shell.types("kubectl get leases -n NAMESPACE", in_namespace)
    shell.end()
    shell.types("helm uninstall", more=f"{place.release} {there}")
    shell.types("kubectl delete configmap dppctl-RELEASE", release, more=there)


def test_the_operator(shell: Shell, kubeconfig: str, tmp_path: Path) -> None:
    name = f"docs-{secrets.token_hex(4)}"
    shell.environment["KUBECONFIG"] = kubeconfig
    shell.prepares(f"kubectl create namespace {name}")
    runs = RunsNamespace(tmp_path, kubeconfig, name, 8080)
    folder = write_files(tmp_path / "config", {"token": "t0k3n\n", "key": "k3y"})
    settings = {
        "DPPCTL_RUNS_NAMESPACE": name,
        "DPPCTL_OPERATOR_LISTEN": "127.0.0.1:0",
        "DPPCTL_OPERATOR_TOKEN_FILE": str(folder / "token"),
        "DPPCTL_POOL_KEY_FILE": str(folder / "key"),
    }
    write_files(folder, {".env": "".join(f"{name}={value}\n" for name, value in settings.items())})
    url = shell.starts("dppctl operator --config DIR", {"DIR": str(folder)}, until=r"http://\S+")[0]
    eventually(lambda: requests.get(f"{url}healthz", timeout=5).status_code == 200, "it works")
    run = runs.ask("all", workload={"sha256": "0" * 64, "bytes": 1})
    assert runs.until(run, "Pending")["message"] == "there is no pool default"
    said = shell.types("kubectl get pipelineruns --namespace dppctl", {"--namespace dppctl": f"--namespace {name}"})
    assert "Pending" in said
    shell.end()


def test_the_proxy(shell: Shell, kubeconfig: str, tmp_path: Path) -> None:
    shell.environment["KUBECONFIG"] = kubeconfig
    file = {"tokens.json": str(tmp_path / "tokens.json")}
    made = shell.types('dppctl token create "ann\'s laptop" --user ann --file tokens.json', file)
    token = made.split()[-1]
    assert token.startswith("dppctl_")
    (listed,) = json.loads(shell.types("dppctl token list --file tokens.json", file))
    assert (listed["user"], listed["scopes"]) == ("token:ann", ["read", "run", "ssh"])
    folder = write_files(tmp_path / "config", {"token": "t0k3n\n"})
    settings = {
        "DPPCTL_RUNS_NAMESPACE": f"docs-{secrets.token_hex(4)}",
        "DPPCTL_PROXY_LISTEN": "127.0.0.1:0",
        "DPPCTL_PROXY_TOKENS_FILE": file["tokens.json"],
        "DPPCTL_OPERATOR_TOKEN_FILE": str(folder / "token"),
        "DPPCTL_CLUSTER_NAME": "office",
    }
    write_files(folder, {".env": "".join(f"{name}={value}\n" for name, value in settings.items())})
    url = shell.starts("dppctl proxy --config DIR", {"DIR": str(folder)}, until=r"http://\S+")[0]
    shown = requests.get(f"{url}v1/cluster", headers={"Authorization": f"Bearer {token}"}, timeout=10).json()
    assert (shown["name"], shown["user"], shown["pools"]) == ("office", "token:ann", [])
    shell.types('dppctl token revoke "ann\'s laptop" --file tokens.json', file)
    again = requests.get(f"{url}v1/cluster", headers={"Authorization": f"Bearer {token}"}, timeout=10)
    assert (again.status_code, again.json()["code"]) == (401, "wrong-token")
    shell.end()


@contextmanager
def pod_succeeds(path: str) -> Iterator[None]:
    """What a kubelet would do: this pod runs and ends well."""

    def work() -> None:
        api = KubernetesClient()
        eventually(lambda: api.get(path), f"there is {path}")
        api.patch(f"{path}/status", {"status": {"phase": "Succeeded"}})

    thread = threading.Thread(target=work)
    thread.start()
    yield
    thread.join()
