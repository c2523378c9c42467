"""What an ops repo's README and the pipelines chart's tell to type, in a written ops repo and to a real API server."""

import json
import re
import secrets
from pathlib import Path

from cli.init.ops_repo_template import OpsEnvironment, write_ops_repo
from tests.support.charts.apps import APP
from tests.support.docs.shell import Shell
from tests.support.forge import Forge
from tests.support.workloads import write_files

VALUES = "environments/staging/values.auto-updated.yaml"
# Those that the manifests are of, by group; Argo CD and Flux install them with all their fields.
KINDS = {
    "argoproj.io/v1alpha1": ["Application"],
    "source.toolkit.fluxcd.io/v1": ["GitRepository"],
    "kustomize.toolkit.fluxcd.io/v1": ["Kustomization"],
    "notification.toolkit.fluxcd.io/v1beta3": ["Provider", "Alert"],
}


def test_by_hand(shell: Shell, kubeconfig: str, tmp_path: Path) -> None:
    shell.environment["KUBECONFIG"] = kubeconfig
    name = f"docs-{secrets.token_hex(4)}"
    repository = Forge(tmp_path).repository("ann/ops")
    write_ops_repo(repository.work, [OpsEnvironment("staging", name, "app")], url=repository.forge.url)
    repository.push({VALUES: APP.to_yaml()})
    shell.folder = repository.work
    place = {"RELEASE_OF_E": "app", "NAMESPACE_OF_E": name, "E": "staging"}
    both = f"--values environments/staging/values.yaml --values {VALUES}"

    shell.types("helm lint chart", more=both)
    assert "kind: Job" in shell.types("helm template", more=f"app chart {both}")
    shell.types(
        "helm upgrade --install RELEASE_OF_E chart --namespace NAMESPACE_OF_E --create-namespace "
        "--values environments/E/values.yaml --values environments/E/values.auto-updated.yaml",
        place,
    )
    other = repository.push({VALUES: APP.to_yaml().replace("0123456789ab", "ba9876543210")})
    shell.types(
        "helm upgrade --install NAME chart --namespace NAMESPACE "
        "-f environments/staging/values.yaml -f environments/staging/values.auto-updated.yaml",
        {"NAME": "app", "NAMESPACE": name},
    )
    assert len(jobs(shell, name)) == 2

    # Back, in both ways: neither makes a Job.
    shell.types("helm rollback RELEASE_OF_E", place, more=f"--namespace {name}")
    shell.types("git revert COMMIT && git push", {"COMMIT": f"--no-edit {other}", "git push": "git push origin master"})
    assert "0123456789ab" in repository.file(VALUES)
    assert len(jobs(shell, name)) == 2
    shell.types("kubectl delete jobs --selector app.kubernetes.io/instance=NAME", {"NAME": "app"}, more=f"-n {name}")
    assert jobs(shell, name) == []
    shell.types(
        "kubectl create secret generic bucket "
        "--from-literal=RCLONE_CONFIG_STORAGE_TYPE=s3 --from-literal=RCLONE_CONFIG_STORAGE_PROVIDER=Other "
        "--from-literal=RCLONE_CONFIG_STORAGE_ENDPOINT=https://s3.example.org "
        "--from-literal=RCLONE_CONFIG_STORAGE_ACCESS_KEY_ID=… --from-literal=RCLONE_CONFIG_STORAGE_SECRET_ACCESS_KEY=…",
        more=f"-n {name}",
    )


def test_with_argo_cd_or_flux(shell: Shell, kubeconfig: str, tmp_path: Path) -> None:
    shell.environment["KUBECONFIG"] = kubeconfig
    name = f"docs-{secrets.token_hex(4)}"
    place = {"NAMESPACE_OF_E": name, "E": "staging"}
    write_ops_repo(tmp_path, [OpsEnvironment("staging", name, name)], url="https://github.com/ann/ops")
    types = [kind_definition(group, kind) for group, kinds in KINDS.items() for kind in kinds]
    write_files(
        tmp_path, {"key.pem": "key", "types.json": json.dumps({"apiVersion": "v1", "kind": "List", "items": types})}
    )
    shell.folder = tmp_path
    shell.prepares(
        "kubectl apply --filename types.json && kubectl wait --for=condition=established --filename types.json"
    )
    shell.prepares("kubectl get namespace argocd || kubectl create namespace argocd")
    shell.prepares(
        "kubectl create configmap argocd-notifications-cm -n argocd --dry-run=client -o yaml | kubectl apply -f -"
    )

    shell.types("kubectl apply --filename argocd/E.yaml", place)
    shell.types(
        "kubectl patch configmap argocd-notifications-cm --namespace argocd --patch-file argocd/notifications.yaml"
    )
    shell.types(
        "kubectl create secret generic argocd-notifications-secret --namespace argocd --dry-run=client --output yaml "
        "--from-literal=github-appID=… --from-literal=github-installationID=… --from-file=github-privateKey=key.pem "
        "| kubectl apply --filename -"
    )
    kept = shell.prepares("kubectl get secret,configmap -n argocd -o jsonpath='{.items[*].data}'")
    assert all(word in kept for word in ("github-appID", "trigger.dppctl-failed"))
    shell.types("kubectl create namespace NAMESPACE_OF_E", place)
    shell.types("kubectl create secret generic github-status --namespace NAMESPACE_OF_E --from-literal=token=…", place)
    applied = shell.types("kubectl apply --filename flux/E.yaml", place)
    assert re.findall(rf"^(\w+)\S*/{name} created$", applied, re.MULTILINE) == [
        "gitrepository",
        "kustomization",
        "provider",
        "alert",
    ]
    shell.prepares(f"kubectl delete application {name} -n argocd")


def jobs(shell: Shell, namespace: str) -> list[str]:
    return shell.prepares(f"kubectl get jobs -n {namespace} -o name").split()


def kind_definition(group_version: str, kind: str) -> dict[str, object]:
    """A CustomResourceDefinition that takes any fields."""
    group, _, version = group_version.partition("/")
    plural = kind.lower().removesuffix("y") + ("ies" if kind.endswith("y") else "s")
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
            "scope": "Namespaced",
            "versions": [{"name": version, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}],
        },
    }
