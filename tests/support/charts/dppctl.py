"""The chart of dppctl's servers, values for it, and what real helm makes of them."""

import json
import subprocess
from functools import cache
from typing import Any

import yaml

from tests.support.environment import REPOSITORY
from tests.support.helm import helm

CHART = REPOSITORY / "charts" / "dppctl"


_HOST = "dppctl.example.org"
APPS = [{"appRepoPath": "ann/app", "opsRepoPath": "ann/ops/data", "environments": ["staging", "production"]}]
SYNC: dict[str, Any] = {"apps": APPS, "sync": {"environments": {"staging": "data-staging", "production": "data"}}}
ALL: dict[str, Any] = {
    **SYNC,
    "builder": "buildkit",
    "imagePullSecrets": [{"name": "pull"}],
    "github": {"hostKeys": ["ssh-ed25519 AAAA"], "sshUrl": "ssh://git@ssh.github.com:443", "caConfigMap": "github-ca"},
    "registry": {
        "url": "registry.example.org/data",
        "existingSecret": "login",
        "caConfigMap": "ca",
        "plainHttp": ["a:5000", "b:5000"],
    },
    "webhooks": {"replicas": 2, "env": [{"name": "X", "value": "y"}]},
    "ingress": {"enabled": True, "className": "nginx", "tlsSecret": "tls", "annotations": {"a": "b"}, "host": _HOST},
    "publicUrl": f"https://{_HOST}",
    "auth": {
        "mode": "oauth",
        "admins": ["github:583231"],
        "organizations": ["hasadna"],
        **{provider: {"clientId": f"{provider}-id"} for provider in ("github", "google")},
        "oidc": {"clientId": "dex-id", "metadataUrl": "https://dex.example.org/dex", "name": "Dex"},
    },
    "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "podDisruptionBudget": {"enabled": True},
    "runs": {
        "enabled": True,
        "proxy": {
            "ingress": {
                "enabled": True,
                "className": "nginx",
                "tlsSecret": "tls",
                "annotations": {"a": "b"},
                "host": _HOST,
            }
        },
        "name": "lab",
        "onDemand": {"maxPools": 3, "images": ["example.org/"]},
        "quota": {"pods": 40, "limits.memory": "64Gi"},
        "limits": [{"type": "Container", "max": {"memory": "4Gi"}}],
    },
    "storage": {
        "enabled": True,
        "engine": "bucket",
        "bucket": {"path": "public/data", "existingSecret": "bucket", "url": "https://s3.example.org/public/data"},
        "ingress": {"enabled": True, "className": "nginx", "tlsSecret": "tls", "host": "data.example.net"},
        "serviceAccountAnnotations": {"a": "b"},
    },
    "pool": {"workers": {"image": "example.org/runtime:1", "runtimeClassName": "gvisor"}},
    "nodeSelector": {"a": "b"},
    "tolerations": [{"key": "a", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "podAnnotations": {"a": "b"},
}
RUNS: dict[str, Any] = {"continuousDeployment": {"enabled": False}, "runs": ALL["runs"], "pool": ALL["pool"]}
Objects = list[dict[str, Any]]


def asked(command: str, values: dict[str, Any], major: int = 4) -> subprocess.CompletedProcess[str]:
    name = ["dppctl"] if command == "template" else []
    arguments = [str(helm(major)), command, *name, str(CHART), "--namespace", "tools", "--values", "-"]
    return subprocess.run(arguments, input=json.dumps(values), capture_output=True, text=True, check=False)


def rendered(values: dict[str, Any], major: int = 4) -> Objects:
    """To read only: many tests look at the same values."""
    return _rendered(json.dumps(values), major)


@cache
def _rendered(values: str, major: int) -> Objects:
    done = asked("template", json.loads(values), major)
    assert done.returncode == 0, done.stderr
    return [one for one in yaml.safe_load_all(done.stdout) if one]


def named(objects: Objects, kind: str, name: str) -> dict[str, Any]:
    (found,) = [one for one in objects if one["kind"] == kind and one["metadata"]["name"] == name]
    return found


def pods(objects: Objects) -> dict[str, dict[str, Any]]:
    """The pods' specs, by the name of what makes them."""
    found = {}
    for one in objects:
        if one["kind"] in ("Deployment", "StatefulSet", "Pod"):
            found[one["metadata"]["name"]] = one["spec"] if one["kind"] == "Pod" else one["spec"]["template"]["spec"]
    return found


def environment(pod: dict[str, Any]) -> dict[str, Any]:
    return {one["name"]: one.get("value", one.get("valueFrom")) for one in pod["containers"][0]["env"]}
