"""A public cluster with real pods: charts/dppctl with `public.enabled` in a namespace, and people who type."""

import json
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import requests
from click.testing import CliRunner

from bot.errors import DppctlError
from bot.model.account import PERSON_SCOPES
from cli.init.runs.chart import chart_folder
from cli.main import dppctl
from cluster.proxy.tokens import make_token
from tests.support.cluster import POLL, SECONDS, ClusterImages, Namespace
from tests.support.environment import REPOSITORY
from tests.support.waiting import eventually

RELEASE = "dppctl"
NO_VOLUME = {"enabled": False}  # the node's folders are root's
WITHOUT_VOLUMES: dict[str, Any] = {
    "runs": {"operator": {"persistence": NO_VOLUME}},
    "auth": {"persistence": NO_VOLUME},
    "usage": {"persistence": NO_VOLUME, "spool": NO_VOLUME},
}
_KEYS = (
    *("operator-token", "pool-key", "publisher-token", "auth-service-token", "auth-key"),
    *("usage-token", "proxy-service-token"),
)
_HOST = "dppctl.example.org"  # nobody looks it up: the tests ask the Services themselves


@dataclass(frozen=True)
class PublicRelease:
    """Where it is reached from this machine, and where pods read what is published."""

    namespace: Namespace
    url: str
    storage_url: str
    tokens: Mapping[str, str]  # by user

    def type(self, *arguments: str, stdin: str = "") -> str:
        """Return what dppctl says, its error's line too."""
        done = CliRunner().invoke(dppctl, arguments, input=stdin)
        if isinstance(done.exception, DppctlError):
            return f"{done.output}dppctl: {done.exception}\n"
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done.output

    def typed_into(self, pod: str, lines: str) -> str:
        """Return what `dppctl ssh POD` says to these lines."""
        command = [sys.executable, "-m", "cli.main", "ssh", pod]
        done = subprocess.run(
            command, input=lines, capture_output=True, text=True, timeout=SECONDS, check=False, cwd=REPOSITORY
        )
        assert done.returncode == 0, done.stderr
        return f"{done.stdout}{done.stderr}"

    def read(self, url: str) -> requests.Response:
        """Return what people read at a URL that was printed: its host is one of the cluster."""
        return requests.get(url.replace(self.storage_url, self.address("storage"), 1), timeout=30)

    def address(self, component: str) -> str:
        """Return the URL of a Service, as this machine reaches it."""
        return f"http://{_cluster_ip(self.namespace, component)}"


@contextmanager
def public_release(
    namespace: Namespace, images: ClusterImages, image: str, users: Sequence[str], *more: Mapping[str, Any]
) -> Iterator[PublicRelease]:
    """Install it, with one worker and one database that wait. `image`: dppctl's own; `more`: values, which win."""
    made = {user: make_token(user, user, PERSON_SCOPES) for user in users}
    records = [record.model_dump(mode="json") for _, record in made.values()]
    _secret(namespace, "dppctl", {key: secrets.token_hex(24) for key in _KEYS})
    _secret(namespace, "dppctl-tokens", {"tokens.json": json.dumps(records)})
    if all("bucket" not in each.get("storage", {}) for each in more):
        namespace.volume("published", images.python)
    repository, _, digest = image.partition("@")
    own = {"image": {"repository": repository, "tag": "", "digest": digest}, "pool": {"worker": {"image": image}}}
    with chart_folder() as chart:
        namespace.deploy(chart, WITHOUT_VOLUMES, _values(images), own, *map(dict, more), release=RELEASE)
    url = f"http://{_cluster_ip(namespace, 'proxy')}"
    try:
        eventually(lambda: _is_up(namespace), "the servers are up", SECONDS, POLL)
    except pytest.fail.Exception:
        pytest.fail(f"the servers are not up:\n{namespace.describe()}")
    yield PublicRelease(namespace, url, "http://dppctl-storage", {user: token for user, (token, _) in made.items()})


def _values(images: ClusterImages) -> dict[str, Any]:
    worker = images.push(images.images.dpp, "dpp")
    limits = {"cpu": 2, "memory": "1Gi", "ephemeral-storage": "1Gi"}
    return {
        "continuousDeployment": {"enabled": False},
        "publicUrl": f"https://{_HOST}",
        "public": {"enabled": True, "operator": "the lab", "contact": "abuse@example.org", "sharedKernel": True},
        "runs": {
            "enabled": True,
            "name": "Open Lab",
            "proxy": {"ingress": {"enabled": True, "host": _HOST, "tlsSecret": "tls"}},
            "quota": {"pods": 40},
        },
        "auth": {"mode": "token"},
        "usage": {"enabled": True},
        "pool": {
            "workers": {"image": worker, "replicas": 1, "most": 2, "database": True, "databaseUi": False},
            "database": {**images.database(), "enabled": False},
            "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": limits},
        },
        "storage": {"enabled": True, "url": "http://dppctl-storage", "volume": {"existingClaim": "published"}},
    }


def _secret(namespace: Namespace, name: str, values: Mapping[str, str]) -> None:
    namespace.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": dict(values)})


def _cluster_ip(namespace: Namespace, component: str) -> str:
    return namespace.kubectl("get", "service", f"{RELEASE}-{component}", "--output=jsonpath={.spec.clusterIP}")


def _is_up(namespace: Namespace) -> bool:
    """Return whether all servers are ready, and one pod of each pool, and the node leads to all of them by now."""
    found = namespace.get("deployments")
    are_ready = all(each["status"].get("readyReplicas", 0) >= each["spec"].get("replicas", 1) for each in found)
    return bool(found) and are_ready and all(map(_is_led_to, namespace.get("services")))


def _is_led_to(service: Mapping[str, Any]) -> bool:
    spec = service["spec"]
    if spec.get("clusterIP", "None") == "None":
        return True
    try:
        for port in spec["ports"]:
            socket.create_connection((spec["clusterIP"], port["port"]), 2).close()
    except OSError:
        return False
    return True
