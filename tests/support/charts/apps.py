"""What the tests deploy: values as the bot writes them."""

from typing import Any

from bot.model.values import Pipeline, Source, Values
from tests.support.charts.rendering import Object, of_kind

DIGEST = "0123456789ab" + "c" * 52
SOURCE = Source(repository="ann/app", path="", ref="refs/heads/main", commit="1" * 40)
APP = Values(
    image=f"registry.example/ann/app@sha256:{DIGEST}",
    source=SOURCE,
    pipelines=(Pipeline(id="./load", schedule="0 6 * * *"), Pipeline(id="./data/tidy up")),
)
EVERYTHING: dict[str, Any] = {
    "workdir": "/app",
    "env": [{"name": "YEAR", "value": "2026"}],
    "envFrom": [{"secretRef": {"name": "keys"}}],
    "activeDeadlineSeconds": 3600,
    "ttlSecondsAfterFinished": 0,
    "schedules": {"timeZone": "Europe/Vienna"},
    "database": {"enabled": True, "storageClassName": "fast", "ui": {"enabled": True}},
    "storage": {
        "bucket": {"path": "bucket/folder", "existingSecret": "bucket"},
        "volume": {"enabled": True, "storageClassName": "shared"},
    },
    "site": {
        "enabled": True,
        "ingress": {
            "enabled": True,
            "className": "nginx",
            "host": "data.example.org",
            "tlsSecret": "site-tls",
            "annotations": {"cert-manager.io/cluster-issuer": "letsencrypt"},
        },
    },
    "imagePullSecrets": [{"name": "registry"}],
    "serviceAccountName": "pipelines",
    "podAnnotations": {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"},
    "networkPolicy": {"exceptAddresses": ["169.254.169.254/32", "fd00:ec2::254/128"]},
    "nodeSelector": {"disk": "ssd"},
    "tolerations": [{"key": "batch", "operator": "Exists"}],
}


def bot_values(**changed: Any) -> dict[str, Any]:
    """`values.auto-updated.yaml` of APP, with these fields changed."""
    values = APP.model_copy(update=changed).model_dump(mode="json")
    return {name: value for name, value in values.items() if value or name in ("image", "source", "pipelines")}


def pod_of(one: Object) -> Object:
    """The pod's spec in an object that makes pods."""
    spec: Object = one["spec"]
    if "jobTemplate" in spec:
        spec = spec["jobTemplate"]["spec"]
    if "template" in spec:
        spec = spec["template"]["spec"]
    return spec


def pods_of(objects: list[Object]) -> list[Object]:
    """The pods' specs of all of them."""
    kinds = ("Job", "CronJob", "Deployment", "StatefulSet", "Pod")
    return [pod_of(one) for kind in kinds for one in of_kind(objects, kind)]
