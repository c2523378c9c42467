"""dppctl's servers on a cluster, by their chart, and beside it git, and a bot that builds."""

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from bot.model.registration import Target
from bot.store.store import Store
from bot.store.tables import Deployment
from cli.init.ops_repo_template import OpsEnvironment, write_ops_repo
from cluster.sync.helm.desired import release_name
from tests.support.cluster import POLL, SECONDS, ClusterImages, Namespace
from tests.support.environment import REPOSITORY
from tests.support.forge import Repository
from tests.support.git_server import serve
from tests.support.waiting import eventually
from tests.support.world import APP, OPS, World
from webhooks.signature import sign

ENVIRONMENTS = ("staging", "production")


@dataclass(frozen=True)
class Card:
    """Holds all of it. `push` and `tag` are a person's; the webhook goes to the receiver in the cluster."""

    servers: Namespace
    places: dict[str, Namespace]  # by environment
    app: Repository
    ops: Repository
    store: Store
    receiver: str
    secret: str

    def push(self, files: dict[str, str]) -> str:
        """Push to master; return the commit."""
        commit = self.app.push(files)
        self.deliver("refs/heads/master", commit)
        return commit

    def tag(self, name: str) -> None:
        """Tag the last commit."""
        self.app.tag(name)
        self.deliver(f"refs/tags/{name}", self.app.git("rev-parse", "HEAD"))

    def deliver(self, ref: str, commit: str) -> None:
        """Send what GitHub would send."""
        body = json.dumps(
            {
                "ref": ref, "before": "0" * 40, "after": commit, "created": False, "deleted": False, "forced": False,
                "repository": {"full_name": "ann/app"}, "commits": [], "head_commit": None,
            }
        ).encode()  # fmt: skip
        headers = {
            "Content-Type": "application/json",
            "X-GitHub-Event": "push",
            "X-GitHub-Delivery": secrets.token_hex(16),
            "X-Hub-Signature-256": sign(body, self.secret),
        }
        answer = requests.post(f"{self.receiver}/webhooks/github", data=body, headers=headers, timeout=60)
        assert answer.status_code == 202, answer.text

    def newest(self, environment: str) -> Deployment | None:
        """Return the last deployment of an environment."""
        found = self.store.deployments.newest(1, environment=environment)
        return found[0] if found else None

    def ended(self, environment: str, commit: str) -> Deployment:
        """Wait until the deployment of a commit is over, and return it."""

        def over() -> Deployment | None:
            found = self.newest(environment)
            return found if found and found.commit == commit and found.ended else None

        try:
            found = eventually(over, f"{environment} is at {commit[:12]}", SECONDS * 2, POLL)
        except BaseException:
            print(self.servers.kubectl("logs", "deployment/dppctl-sync", "--tail=40"))
            print(self.places[environment].describe())
            raise
        whole = self.store.deployments.get(found.id)
        assert whole
        return whole

    def release(self, environment: str) -> str:
        """Return helm's name for an environment."""
        return release_name(Target(APP, OPS, environment))

    def rows(self, environment: str, table: str) -> list[str]:
        """Return the rows in the environment's PostgreSQL pod."""
        pod = f"{self.release(environment)}-database-0"
        select = f"select * from {table} order by 1"
        query = ["psql", "-U", "pipelines", "-d", "pipelines", "-Atc", select]
        return self.places[environment].kubectl("exec", pod, "--", *query).split()

    def values(self, environment: str) -> str:
        """Return what the bot committed for an environment."""
        return self.ops.file(f"environments/{environment}/values.auto-updated.yaml")


@contextmanager
def dealt(images: ClusterImages, own_image: str, folder: Path, host: str) -> Iterator[Card]:
    """Set everything up, and remove it at the end. host: the address of this machine, as pods reach it."""
    mark = secrets.token_hex(4)
    servers, *environments = (Namespace(f"dppctl-test-{mark}-{name}", folder) for name in ("servers", *ENVIRONMENTS))
    places = dict(zip(ENVIRONMENTS, environments, strict=True))
    for one in (servers, *environments):
        one.kubectl("create", "namespace", one.name)
    with World(folder) as world, serve(folder / "forge", host) as url:
        app, ops = world.app, world.ops
        try:
            _fill(ops, places, images, f"{url}/ann/ops.git")
            servers.volume("data-dppctl-database-0", images.python)
            for name, place in places.items():
                place.database_volume(release_name(Target(APP, OPS, name)), images.python)
            keys = {name: secrets.token_hex(16) for name in ("webhook-secrets", "sync-token", "database-password")}
            _install(servers, places, images, own_image, url, keys)
            address = {name: _address(servers, f"dppctl-{name}") for name in ("webhooks", "sync", "database")}
            database = f"postgresql+psycopg://dppctl:{keys['database-password']}@{address['database']}:5432/dppctl"
            world.restart(
                DATABASE_URL=database, GITHUB_URL=url, WEBHOOK_SECRETS=keys["webhook-secrets"],
                SYNC_TOKEN=keys["sync-token"], SYNC_URL=f"http://{address['sync']}",
                REGISTRY=f"{images.registry}/{mark}", PLAIN_HTTP_REGISTRIES=images.registry, BUILDER="buildah",
            )  # fmt: skip
            with _bot(world.write_config()):
                receiver = f"http://{address['webhooks']}"
                yield Card(servers, places, app, ops, world.store, receiver, keys["webhook-secrets"])
        finally:
            for one in (servers, *environments):
                one.kubectl("delete", "all", "--all", "--wait=false")
                one.kubectl("delete", "namespace", one.name, "--wait=false")


def _fill(ops: Repository, places: dict[str, Namespace], images: ClusterImages, url: str) -> None:
    """Fill the ops repo from its template, with values for this cluster."""
    found = [OpsEnvironment(name, place.name, release_name(Target(APP, OPS, name))) for name, place in places.items()]
    write_ops_repo(ops.work, found, url=url, branch="master")
    people = json.dumps(images.people(database=images.database(), kubernetes={"cronJobApiVersion": "batch/v1beta1"}))
    for name in places:
        (ops.work / "environments" / name / "values.yaml").write_text(people)
    ops.push_all()


def _install(
    servers: Namespace,
    places: dict[str, Namespace],
    images: ClusterImages,
    own_image: str,
    url: str,
    keys: dict[str, str],
) -> None:
    """Install charts/dppctl with a database; its bot rests, since ours builds beside the cluster."""
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "dppctl"},
        "stringData": {**keys, "github-token": ""},
    }
    servers.apply(secret)
    repository, _, digest = own_image.partition("@")
    postgres = {"image": images.postgres} if images.postgres else {}
    small: dict[str, Any] = {"resources": {"requests": {"cpu": "10m", "memory": "64Mi"}}}
    volatile = {"persistence": {"enabled": False}}
    servers.deploy(
        REPOSITORY / "charts" / "dppctl",
        {
            "image": {"repository": repository, "digest": digest},
            "apps": [{"appRepoPath": str(APP), "opsRepoPath": str(OPS), "environments": list(places)}],
            "github": {"url": url},
            "registry": {"url": images.registry, "plainHttp": [images.registry]},
            "database": {"size": "100Mi", **small, **postgres},
            "webhooks": small, "bot": {**small, **volatile},
            "sync": {**small, **volatile, "environments": {name: one.name for name, one in places.items()}},
        },
        release="dppctl",
    )  # fmt: skip
    servers.kubectl("scale", "deployment/dppctl-bot", "--replicas=0")
    for name in ("statefulset/dppctl-database", "deployment/dppctl-webhooks", "deployment/dppctl-sync"):
        try:
            servers.kubectl("rollout", "status", name, f"--timeout={SECONDS}s")
        except BaseException:
            print(servers.describe())
            raise


def _address(servers: Namespace, service: str) -> str:
    """Return the address of a service, or of the only pod of a service without an address."""
    pods = servers.kubectl("get", "service", service, "--output=jsonpath={.spec.clusterIP}")
    if pods != "None":
        return pods
    return servers.kubectl("get", "endpoints", service, "--output=jsonpath={.subsets[0].addresses[0].ip}")


@contextmanager
def _bot(config: Path) -> Iterator[None]:
    """Run `dppctl bot` until the block's end."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("DPPCTL_")}
    with (config / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "cli.main", "bot", "--config", str(config)],
            env={**clean, "PYTHONPATH": str(REPOSITORY)}, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        yield
    except BaseException:
        print((config / "log").read_text()[-4000:])
        raise
    finally:
        process.terminate()
        process.wait(20)
