"""What helm wrote down in the cluster: a Secret for each revision of a release.

Its labels say what a pass needs to know; the rest is read for one release at a time. So no helm is started to look.
https://github.com/helm/helm/blob/main/pkg/storage/driver/secrets.go
"""

import base64
import gzip
import json
from datetime import UTC, datetime
from typing import Any

from bot.kubernetes import KubernetesClient, Object
from cluster.sync.helm.state import BUSY, HelmRelease

FINGERPRINT = "dppctl.io/fingerprint"


def releases(api: KubernetesClient, namespace: str) -> dict[str, HelmRelease]:
    """Return the newest revision of each release, by name. Raises ApiError and ApiAwayError."""
    newest: dict[str, HelmRelease] = {}
    now = datetime.now(UTC)
    # The superseded ones are the most, and never the newest.
    for secret in api.list(_secrets(namespace), "owner=helm,status!=superseded", metadata=True):
        labels = secret["metadata"]["labels"]
        release = _release(secret, now)
        if release.revision > newest.get(labels["name"], _NONE).revision:
            newest[labels["name"]] = release
    return newest


def newest(api: KubernetesClient, namespace: str, name: str) -> HelmRelease | None:
    """Return the newest revision of one release; None: there is none."""
    found = api.list(_secrets(namespace), f"owner=helm,name={name}", metadata=True)
    releases = [_release(secret, datetime.now(UTC)) for secret in found]
    return max(releases, key=lambda release: release.revision, default=None)


def manifest(api: KubernetesClient, namespace: str, name: str, revision: int) -> str:
    """Return what that revision consists of, as YAML; empty when helm has forgotten it."""
    secret = api.get(_secret(namespace, name, revision))
    return str(_unpacked(secret)["manifest"]) if secret else ""


def unlock(api: KubernetesClient, namespace: str, name: str, revision: int) -> None:
    """Mark as failed what a helm that was killed left as `pending-…`, so that helm goes on from there.

    Nothing is done to one that has ended meanwhile.

    As Flux does: https://github.com/fluxcd/helm-controller/blob/main/internal/reconcile/unlock.go
    """
    secret = api.get(_secret(namespace, name, revision))
    if secret is None:
        return
    content = _unpacked(secret)
    if content["info"]["status"] not in BUSY:
        return
    content["info"]["status"] = "failed"
    content["info"]["description"] = "ended by a kill; dppctl marked it as failed"
    version = secret["metadata"]["resourceVersion"]  # a helm that lives after all wins
    change = {
        "metadata": {"labels": {"status": "failed"}, "resourceVersion": version},
        "data": {"release": _packed(content)},
    }
    api.patch(_secret(namespace, name, revision), change)


def _release(secret: Object, now: datetime) -> HelmRelease:
    meta = secret["metadata"]
    labels = meta["labels"]
    made = datetime.fromisoformat(meta["creationTimestamp"])
    revision = int(labels["version"])
    return HelmRelease(revision, labels["status"], labels.get(FINGERPRINT, ""), (now - made).total_seconds())


def _unpacked(secret: Object) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(base64.b64decode(secret["data"]["release"]))))
    return found


def _packed(content: dict[str, Any]) -> str:
    return base64.b64encode(base64.b64encode(gzip.compress(json.dumps(content).encode()))).decode()


def _secrets(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/secrets"


def _secret(namespace: str, name: str, revision: int) -> str:
    return f"{_secrets(namespace)}/sh.helm.release.v1.{name}.v{revision}"


_NONE = HelmRelease(0, "", "", 0.0)
