"""The chart of dppctl's servers, and values for it."""

from typing import Any

from tests.support.environment import REPOSITORY

CHART = REPOSITORY / "charts" / "dppctl"


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
    "ingress": {"enabled": True, "className": "nginx", "tlsSecret": "tls", "annotations": {"a": "b"}},
    "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "podDisruptionBudget": {"enabled": True},
    "nodeSelector": {"a": "b"},
    "tolerations": [{"key": "a", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "podAnnotations": {"a": "b"},
}
