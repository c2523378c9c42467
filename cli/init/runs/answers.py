"""What `dppctl init --workers` is told, and what the installation is called."""

import getpass
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

from cli.errors import InputError
from cli.init.runs.flags import AuthMode

RELEASE = "dppctl-runs"
SECRET, TOKENS_SECRET = "dppctl", "dppctl-tokens"  # of the Secrets
PROXY = f"{RELEASE}-proxy"  # its Service
POOL = "default"


@dataclass(frozen=True)
class AuthAnswers:
    """What flags, questions and the cluster answer."""

    mode: AuthMode = "none"
    public_url: str = ""
    client_ids: tuple[tuple[str, str], ...] = ()  # by provider
    oidc_metadata_url: str = ""
    admins: tuple[str, ...] = ()

    def values(self) -> dict[str, Any]:
        """Return values for charts/dppctl."""
        auth: dict[str, Any] = {"mode": self.mode, "admins": list(self.admins)}
        auth |= {provider: {"clientId": identity} for provider, identity in self.client_ids}
        if "oidc" in auth:
            auth["oidc"]["metadataUrl"] = self.oidc_metadata_url
        return {"publicUrl": self.public_url, "auth": auth} if self.public_url else {"auth": auth}

    def callbacks(self) -> list[str]:
        """Return the addresses that the OAuth apps have to know."""
        return [f"{self.public_url}/auth/callback/{provider}" for provider, _ in self.client_ids]


@dataclass(frozen=True)
class RunsAnswers:
    """What flags and questions answer."""

    workers: int
    databases: int
    image: str  # dppctl's own
    worker_image: str  # with Python and dpp
    cluster: str  # how this person calls it
    user: str  # whom the token is for
    seconds: float  # that all may take to be ready
    more_values: str = ""  # YAML, which wins
    dry_run: bool = False
    auth: AuthAnswers = AuthAnswers()
    usage: bool = False  # a usage server
    except_addresses: tuple[str, ...] = ()  # of the API server: no worker reaches them
    provider_values: Mapping[str, Any] = field(default_factory=dict)  # such as the storage of that kind of cluster

    def values(self) -> dict[str, Any]:
        """Return values for charts/dppctl: runs alone, with one pool that keeps running."""
        repository, tag, digest = _image_parts(self.image)
        workers: dict[str, Any] = {
            "pool": POOL,
            "mode": "persistent",
            "replicas": self.workers,
            "most": max(1, self.workers),
            "image": self.worker_image,
            "keySecret": SECRET,
            "keySecretKey": "pool-key",
        }
        if self.databases:
            workers |= {"database": True, "databases": self.databases}
        if self.except_addresses:
            workers["exceptAddresses"] = list(self.except_addresses)
        runs: dict[str, Any] = {"enabled": True, "name": self.cluster, "tokensSecret": TOKENS_SECRET}
        if host := urlsplit(self.auth.public_url).hostname:
            runs["proxy"] = {"ingress": {"enabled": True, "host": host}}
        values = {
            "image": {"repository": repository, "tag": tag, "digest": digest},
            "existingSecret": SECRET,
            "continuousDeployment": {"enabled": False},
            "runs": runs,
            **self.auth.values(),
            **({"usage": {"enabled": True}} if self.usage else {}),
            "pool": {"worker": {"image": self.image}, "workers": workers},
        }
        return merged(values, self.provider_values)

    def fingerprint(self) -> str:
        """Return what changes when something else would be installed."""
        return sha256(
            f"{version('dppctl')} {json.dumps(self.values(), sort_keys=True)} {self.more_values}".encode()
        ).hexdigest()[:40]


def default_image() -> str:
    """Return dppctl's own image, of this version."""
    return f"ghcr.io/orihoch/dppctl:{version('dppctl')}"


def default_worker_image() -> str:
    """Return the image of workers for which none is named: dpp at the versions of this dppctl's lock."""
    return f"ghcr.io/orihoch/dppctl-runtime:{version('dppctl')}"


def merged(values: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values with `more`, which wins, as helm merges files of values."""
    found = dict(values)
    for key, value in more.items():
        before = found.get(key)
        found[key] = merged(before, value) if isinstance(before, Mapping) and isinstance(value, Mapping) else value
    return found


def default_user() -> str:
    """Return the name of whoever types this, as a token's user may be called."""
    try:
        return re.sub(r"[^A-Za-z0-9._-]", "-", getpass.getuser())[:100] or "admin"
    except (KeyError, OSError):
        return "admin"


def _image_parts(image: str) -> tuple[str, str, str]:
    """Return an image's repository, tag and digest. Raises InputError for one without a tag and a digest."""
    name, _, digest = image.partition("@")
    repository, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        repository, tag = name, ""
    if not repository or re.search(r"\s", image) or not (tag or digest):
        raise InputError(f"--image {image[:200]!r}: name an image by its tag or digest, such as {default_image()}")
    return repository, tag, digest
