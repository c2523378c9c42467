"""Namespaces of a cluster, and images that it pulls."""

import json
import os
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from bot.kubernetes import KubernetesClient
from cluster.local.workers.dpp_environment import DppEnvironment
from tests.support.helm import helm, kubectl
from tests.support.images import Images, ensure_images
from tests.support.own_image import own_image
from tests.support.waiting import eventually
from tests.support.workloads import write_files
from worker.zipapp_builder import build as build_worker

SECONDS = 180
POLL = 0.25  # seconds between two looks at what pods do, which takes seconds
_KINDS = {
    "pods": ("v1", "Pod"),
    "services": ("v1", "Service"),
    "secrets": ("v1", "Secret"),
    "persistentvolumeclaims": ("v1", "PersistentVolumeClaim"),
    "deployments": ("apps/v1", "Deployment"),
    "statefulsets": ("apps/v1", "StatefulSet"),
    "jobs": ("batch/v1", "Job"),
    "cronjobs": ("batch/v1", "CronJob"),
}


@dataclass(frozen=True)
class Namespace:
    """A namespace of the cluster, for one test."""

    name: str
    folder: Path

    def helm(self, *arguments: str | Path, major: int = 4) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        command = [helm(major), *arguments, "--namespace", self.name]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)

    def deploy(self, chart: Path, *values: dict[str, Any], release: str = "app", major: int = 4) -> None:
        """`helm upgrade --install` with values files of these contents."""
        files: list[str | Path] = []
        for number, content in enumerate(values):
            file = self.folder / f"{release}-{number}.yaml"
            file.write_text(json.dumps(content))
            files += ["--values", file]
        done = self.helm("upgrade", "--install", release, chart, *files, major=major)
        assert done.returncode == 0, done.stderr

    def kubectl(self, *arguments: str) -> str:
        """What it prints."""
        command = [kubectl(), "--namespace", self.name, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
        assert done.returncode == 0, f"{arguments}: {done.stderr}"
        return done.stdout

    def get(self, kind: str, selector: str = "", *, fields: str = "") -> list[Any]:
        """The objects of a kind, the oldest first. Asked again and again: kubectl would cost ten times as much."""
        api = _api(os.environ["KUBECONFIG"])
        version, name = _KINDS[kind]
        if kind == "cronjobs" and not _has_stable_cron_jobs(api):
            version = "batch/v1beta1"
        path = f"/{'apis' if '/' in version else 'api'}/{version}/namespaces/{self.name}/{kind}"
        found = [{"apiVersion": version, "kind": name, **each} for each in api.list(path, selector, fields=fields)]
        return sorted(found, key=lambda each: each["metadata"]["creationTimestamp"])

    def apply(self, one: dict[str, Any]) -> None:
        """Make an object."""
        file = self.folder / "object.json"
        file.write_text(json.dumps(one))
        self.kubectl("apply", f"--filename={file}")

    def volume(self, claim: str, image: str) -> None:
        """Make a claim of this name that everybody may write to.

        Clusters let a pod's `fsGroup` write to its volumes; folders of the node, which test clusters have, are root's.
        """
        size = {"requests": {"storage": "100Mi"}}
        self.apply({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": claim},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": size},
        })  # fmt: skip
        self.apply({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"open-{claim}"},
            "spec": {
                "restartPolicy": "Never",
                "containers": [{
                    "name": "open", "image": image, "command": ["chmod", "0777", "/volume"],
                    "securityContext": {"runAsUser": 0}, "volumeMounts": [{"name": "volume", "mountPath": "/volume"}],
                }],
                "volumes": [{"name": "volume", "persistentVolumeClaim": {"claimName": claim}}],
            },
        })  # fmt: skip
        named = f"metadata.name=open-{claim}"

        def is_open() -> bool:
            return bool(self.get("pods", fields=named)[0]["status"]["phase"] == "Succeeded")

        eventually(is_open, f"{claim} is open", SECONDS, POLL)
        self.kubectl("delete", "pod", f"open-{claim}")

    def database_volume(self, release: str, image: str) -> None:
        """Make the claim of a release's database, and the Secret with its password: the chart makes none for a claim.

        https://helm.sh/docs/topics/charts_tips_and_tricks/: helm takes over what is marked as its own.
        """
        self.volume(f"data-{release}-database-0", image)
        owner = {"meta.helm.sh/release-name": release, "meta.helm.sh/release-namespace": self.name}
        self.apply({
            "apiVersion": "v1", "kind": "Secret", "stringData": {"password": secrets.token_hex(16)},
            "metadata": {
                "name": f"{release}-database", "annotations": owner,
                "labels": {"app.kubernetes.io/managed-by": "Helm"},
            },
        })  # fmt: skip

    def describe(self) -> str:
        """What to say when something does not come."""
        events = self.kubectl("get", "events", "--output=wide", "--no-headers")
        return f"{self.kubectl('get', 'pods')}\n{events}"


@dataclass(frozen=True)
class ClusterImages:
    """Images that are pushed to the cluster's registry."""

    images: Images
    registry: str
    worker: str
    python: str
    postgres: str | None

    def push(self, local: str, name: str) -> str:
        """Push an image of the storage; REGISTRY/NAME@DIGEST."""
        digests = self.images.storage / f"digest-{secrets.token_hex(4)}"
        target = f"{self.registry}/dppctl-tests/{name}"
        # As they are: the registry is near, and to compress what is read once takes half a minute of the processor.
        options = ["--tls-verify=false", "--disable-compression", f"--digestfile={digests}"]
        self.images.run("buildah", "push", *options, local, f"docker://{target}")
        digest = digests.read_text()
        digests.unlink()
        return f"{target}@{digest}"

    def build(self, folder: Path, name: str, dockerfile: str, files: dict[str, str] | None = None) -> str:
        """Build what the Dockerfile says with these files beside it, and push it."""
        context = write_files(folder / secrets.token_hex(4), files or {})
        return self.build_in(context, name, dockerfile)

    def build_in(self, context: Path, name: str, dockerfile: str) -> str:
        """The same, with what is in a folder already."""
        write_files(context, {"Dockerfile": dockerfile})
        local = f"localhost/{name}-{secrets.token_hex(4)}"
        self.images.build(local, context)
        return self.push(local, name)

    def app(self, folder: Path, files: dict[str, str]) -> str:
        """An app's image with dpp in it."""
        return self.build(
            folder, "app", f"FROM {self.images.dpp}\nWORKDIR /app\nCOPY --chown=1000:1000 . .\nUSER 1000:1000\n", files
        )

    def people(self, **more: Any) -> dict[str, Any]:
        """`values.yaml` for this cluster."""
        small = {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "1Gi"}}
        # dppctl's own image also has what makes the database that a run writes to, and checks what came out.
        is_own = more.get("database", {}).get("enabled")
        worker = self.push(own_image(self.images), "dppctl") if is_own else self.worker
        return {"worker": {"image": worker}, "resources": small, **more}

    def database(self, **more: Any) -> dict[str, Any]:
        """`database` of `values.yaml` for this cluster."""
        small = {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}}
        image = {"image": self.postgres} if self.postgres else {}
        return {"enabled": True, "size": "100Mi", "resources": small, **image, **more}


@contextmanager
def open_cluster_images(runtime: DppEnvironment, folder: Path) -> Iterator[ClusterImages]:
    """Push what every test of a cluster needs to the registry that the environment names."""
    images = ensure_images(runtime)
    registry, postgres = (os.environ.get(f"DPPCTL_TEST_CLUSTER_{name}") for name in ("REGISTRY", "POSTGRES"))
    bare = ClusterImages(images, registry or "", "", "", postgres)
    python = bare.push(images.python, "python")
    context = folder / "worker"
    context.mkdir()
    build_worker(context / "worker.pyz")
    worker = bare.build_in(context, "worker", f"FROM {images.python}\nCOPY worker.pyz /opt/dppctl/worker.pyz\n")
    yield ClusterImages(images, registry or "", worker, python, postgres)
    images.clear()


@contextmanager
def open_namespace(folder: Path) -> Iterator[Namespace]:
    """Make a namespace, which is deleted afterwards."""
    made = Namespace(f"dppctl-test-{secrets.token_hex(4)}", folder)
    made.kubectl("create", "namespace", made.name)
    try:
        yield made
    finally:
        made.kubectl("delete", "namespace", made.name, "--wait=false")


def selected(release: str, component: str) -> str:
    """The selector of what belongs to a part of a release."""
    return f"app.kubernetes.io/instance={release},app.kubernetes.io/component={component}"


@cache
def _api(kubeconfig: str) -> KubernetesClient:
    return KubernetesClient(kubeconfig)


CODE = """
from datapackage_pipelines.wrapper import ingest, spew
parameters, package, _ = ingest()
schema = {"fields": [{"name": "number", "type": "integer"}]}
package["name"] = "numbers"
package["resources"].append({"name": "numbers", "path": "numbers.csv", "schema": schema, "dpp:streaming": True})
spew(package, [({"number": number} for number in range(5))])
"""


TABLES = {"numbers": {"resource-name": "numbers"}}


TO_SQL = {"run": "dump.to_sql", "parameters": {"engine": "env://DPP_DB_ENGINE", "tables": TABLES}}


def _has_stable_cron_jobs(api: KubernetesClient) -> bool:
    """Return whether a cluster is of version 1.21 or newer."""
    return any(each["name"] == "cronjobs" for each in (api.get("/apis/batch/v1") or {}).get("resources", []))
