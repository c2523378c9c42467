"""What helm wrote down in the cluster: a Secret for each revision of a release.

Its labels say what a pass needs to know; the rest is read for one release at a time. So no helm is started to look.
https://github.com/helm/helm/blob/main/pkg/storage/driver/secrets.go
"""

import base64
import gzip
import json
import zlib
from datetime import UTC, datetime
from typing import Any

from bot.errors import PermanentError, TransientError
from bot.kubernetes import KubernetesClient, Object
from cluster.errors import ClusterError
from cluster.sync.helm.state import BUSY, HelmRelease

_TYPE = "type=helm.sh/release.v1"  # other Secrets may carry such labels too
FINGERPRINT = "dppctl.io/fingerprint"


class UnreadableError(ClusterError, PermanentError):
    """Somebody broke what helm wrote down of a release."""


class RevisionGoneError(ClusterError, TransientError):
    """Helm has forgotten that revision, or somebody deleted it: the next pass finds what there is."""


def releases(api: KubernetesClient, namespace: str) -> tuple[dict[str, HelmRelease], list[str]]:
    """Return the newest revision of each release, by name, and the names of Secrets that cannot be read as helm's.

    Raises ApiError and ApiAwayError.
    """
    newest: dict[str, HelmRelease] = {}
    unreadable = []
    # The superseded ones are the most, and never the newest.
    for secret in api.list(_secrets(namespace), "owner=helm,status!=superseded", fields=_TYPE, metadata=True):
        name, release = _release(secret, datetime.now(UTC))
        if release is None:
            unreadable.append(str(secret["metadata"]["name"]))
        elif release.revision > newest.get(name, _NONE).revision:
            newest[name] = release
    return newest, unreadable


def newest(api: KubernetesClient, namespace: str, name: str) -> HelmRelease | None:
    """Return the newest revision of one release; None: there is none."""
    found = api.list(_secrets(namespace), f"owner=helm,name={name}", fields=_TYPE, metadata=True)
    releases = [release for _, release in (_release(secret, datetime.now(UTC)) for secret in found) if release]
    return max(releases, key=lambda release: release.revision, default=None)


def manifest(api: KubernetesClient, namespace: str, name: str, revision: int) -> str:
    """Return what that revision consists of, as YAML. Raises RevisionGoneError."""
    secret = api.get(_secret(namespace, name, revision))
    if secret is None:
        raise RevisionGoneError(f"release {name} in namespace {namespace}: helm has no revision {revision} any more")
    return str(_unpacked(secret)["manifest"])


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


def _release(secret: Object, now: datetime) -> tuple[str, HelmRelease | None]:
    """Return the release's name and its revision; None: the labels are not as helm writes them."""
    meta = secret["metadata"]
    labels = meta.get("labels") or {}
    name, version, status = (str(labels.get(key, "")) for key in ("name", "version", "status"))
    if not (name and status and version.isdecimal()):
        return name, None
    made = datetime.fromisoformat(meta["creationTimestamp"])
    return name, HelmRelease(int(version), status, labels.get(FINGERPRINT, ""), (now - made).total_seconds())


def _unpacked(secret: Object) -> dict[str, Any]:
    """Return what helm packed into a Secret. Raises UnreadableError."""
    try:
        text = gzip.decompress(base64.b64decode(base64.b64decode(secret["data"]["release"])))
        found: dict[str, Any] = json.loads(text)
        if isinstance(found["manifest"], str) and isinstance(found["info"]["status"], str):
            return found
    except (ValueError, LookupError, TypeError, OSError, EOFError, zlib.error):
        pass
    name = secret["metadata"]["name"]
    raise UnreadableError(f"Secret {name}: it is not as helm writes its releases; delete it, or make it right again")


def _packed(content: dict[str, Any]) -> str:
    return base64.b64encode(base64.b64encode(gzip.compress(json.dumps(content).encode()))).decode()


def _secrets(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/secrets"


def _secret(namespace: str, name: str, revision: int) -> str:
    return f"{_secrets(namespace)}/sh.helm.release.v1.{name}.v{revision}"


_NONE = HelmRelease(0, "", "", 0.0)
