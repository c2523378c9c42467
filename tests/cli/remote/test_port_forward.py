"""A proxy without an address is reached through the API server, by the rights that a person has there."""

import base64
import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.kubernetes import KubernetesClient
from tests.support.waiting import eventually

Person = Callable[..., str]
pytestmark = pytest.mark.needs("an API server")


def kubeconfig_of(account: str, api: KubernetesClient, namespace: str, file: Path) -> None:
    """Make a ServiceAccount, and a kubeconfig file with the context `office` that is its own."""
    base = f"/api/v1/namespaces/{namespace}"
    api.create(f"{base}/serviceaccounts", {"metadata": {"name": account}})
    about = {"name": f"{account}-token", "annotations": {"kubernetes.io/service-account.name": account}}
    api.create(f"{base}/secrets", {"metadata": about, "type": "kubernetes.io/service-account-token"})

    def token() -> str:
        found = (api.get(f"{base}/secrets/{account}-token") or {}).get("data") or {}
        return base64.b64decode(found.get("token", "")).decode()

    content = json.loads(json.dumps(api_server()))
    content["users"] = [{"name": "u", "user": {"token": eventually(token, "the account has a token")}}]
    content["contexts"] = [{"name": "office", "context": {"cluster": content["clusters"][0]["name"], "user": "u"}}]
    file.write_text(json.dumps({**content, "current-context": "office"}))


def api_server() -> dict[str, object]:
    import yaml

    found: dict[str, object] = yaml.safe_load(Path(os.environ["DPPCTL_TEST_KUBECONFIG"]).read_text())
    return found


def test_a_right_that_is_missing_is_named(
    person: Person, kubeconfig: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    api, namespace = KubernetesClient(kubeconfig), f"forward-{secrets.token_hex(4)}"
    base = f"/api/v1/namespaces/{namespace}"
    api.create("/api/v1/namespaces", {"metadata": {"name": namespace}})
    kubeconfig_of("ann", api, namespace, tmp_path / "kubeconfig")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    monkeypatch.setenv("DPPCTL_TOKEN", "dppctl_x")

    def login() -> str:
        return person("login", "office", "--context", "office", "--namespace", namespace).rpartition("refused: ")[2]

    right = f"in namespace {namespace} is missing; ask who administers the cluster for it, or have a URL for it: "
    assert login().startswith(f"the right to services and pods (get, list) {right}")
    rights = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
    rules = [{"apiGroups": [""], "resources": ["services", "pods"], "verbs": ["get", "list"]}]
    api.create(f"{rights}/roles", {"metadata": {"name": "look"}, "rules": rules})
    subject = {"kind": "ServiceAccount", "name": "ann", "namespace": namespace}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "look"}
    api.create(f"{rights}/rolebindings", {"metadata": {"name": "look"}, "subjects": [subject], "roleRef": role})
    eventually(lambda: login().startswith("there is no Service dppctl-proxy in namespace"), "it may look", 20)
    selector = {"app": "proxy"}
    spec = {"selector": selector, "ports": [{"port": 80, "targetPort": "http"}]}
    api.create(f"{base}/services", {"metadata": {"name": "dppctl-proxy"}, "spec": spec})
    assert login().startswith(f"the Service dppctl-proxy in namespace {namespace} has no pod that is ready; ")
    container = {"name": "proxy", "image": "example.org/x:1", "ports": [{"name": "http", "containerPort": 8090}]}
    pod = {"metadata": {"name": "proxy", "labels": selector}, "spec": {"containers": [container]}}
    api.create(f"{base}/pods", pod)
    status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    api.patch(f"{base}/pods/proxy/status", {"status": status})
    assert login().startswith(f"the right to pods/portforward {right}")
    monkeypatch.setenv("KUBECONFIG", kubeconfig)
    assert "kubeconfig" in login()  # which has no context of this name
    api.delete(f"/api/v1/namespaces/{namespace}")
