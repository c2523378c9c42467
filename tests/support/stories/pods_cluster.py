"""An environment with pods: the pipelines' chart, an app whose variable MODE says what its pipeline does, and sync."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from bot.kubernetes import KubernetesClient, Object
from bot.model.reports import SyncEvent
from tests.support.cluster import ClusterImages
from tests.support.environment import REPOSITORY
from tests.support.stories.helm_cluster import Cluster
from tests.support.waiting import eventually
from tests.support.world import STAGING

CODE = """
import os, time
from datapackage_pipelines.wrapper import ingest, spew

_, package, _ = ingest()
mode, number, pause = (os.environ.get("MODE", "rows") + " 0 0").split()[:3]
time.sleep(float(pause))
fields = [{"name": "number", "type": "integer"}]
if mode == "memory":
    held = bytearray(int(number) * 2**20)
if mode == "disk":
    with open("/tmp/filled", "wb") as file:
        file.write(bytes(int(number) * 2**20))
    time.sleep(120)
if mode == "sleep":
    time.sleep(float(number))
if mode == "fields":
    fields += [{"name": f"column_{each}_of_a_very_wide_table", "type": "string"} for each in range(int(number))]
package["name"] = "numbers"
package["resources"].append(
    {"name": "numbers", "path": "numbers.csv", "schema": {"fields": fields}, "dpp:streaming": True}
)
spew(package, [({"number": number} for number in range(5))])
"""


class PodsCluster(Cluster):
    """`run` deploys the app in a mode, and gives how that ended."""

    def __init__(self, folder: Path, kubeconfig: str, images: ClusterImages) -> None:
        root = REPOSITORY / "charts" / "dppctl-pipelines"
        files = {str(file.relative_to(root.parent)): file.read_text() for file in root.rglob("*") if file.is_file()}
        chart = {name.replace(root.name, "chart", 1): text for name, text in files.items()}
        super().__init__(folder, kubeconfig, chart=chart, seconds=60)
        self.images = images
        spec = {"load": {"pipeline": [{"run": "rows", "code": CODE}]}}
        self.image = images.app(folder, {"pipeline-spec.yaml": json.dumps(spec)})

    def deploy(self, mode: str, **people: Any) -> None:
        """Commit what is to run, and how."""
        values = {**self.images.people(**people), "env": [{"name": "MODE", "value": mode}]}
        self.say(self.image, pipelines=("./load",), people=values)

    def run(self, mode: str, **people: Any) -> SyncEvent:
        """Deploy it, and return how that ended."""
        self.deploy(mode, **people)
        self.start().sync()
        return self.last()

    def says(self, words: str) -> None:
        """Wait until sync reports this."""
        eventually(lambda: any(words in event.message for event in self.events), f"it says: {words}", 180)

    def in_database(self, script: str) -> None:
        """Run a script in the database's pod."""
        place = self.sync.locations[STAGING]
        command = ["sh", "-c", script]
        with self.api.exec(place.namespace, f"{place.release}-database-0", "postgresql", command) as channel:
            channel.run_forever(timeout=60)

    def drain_pod_that_runs(self) -> None:
        """Wait for a pod whose pipelines run, and evict it as `kubectl drain` does."""
        [pod] = eventually(lambda: [found for found in self.objects("pods") if _runs(found)], "a pod runs", 180)
        meta = {name: pod["metadata"][name] for name in ("name", "namespace")}
        path = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}/eviction"
        versions = {found["groupVersion"] for found in self.api.get("/apis/policy")["versions"]}
        version = "policy/v1" if "policy/v1" in versions else "policy/v1beta1"
        self.api.create(path, {"apiVersion": version, "kind": "Eviction", "metadata": meta})


def memory(limit: str) -> dict[str, Any]:
    """Return a container's `resources` with this limit."""
    return {"requests": {"cpu": "10m", "memory": "1Mi"}, "limits": {"memory": limit}}


def _runs(pod: Object) -> bool:
    states = {found["name"]: found["state"] for found in pod["status"].get("containerStatuses", [])}
    return "running" in states.get("pipelines", {})


@contextmanager
def pods_cluster(folder: Path, kubeconfig: str, images: ClusterImages) -> Iterator[PodsCluster]:
    """Give it, and remove its namespaces at the end; `kubeconfig`: sync's and helm's own way to the cluster."""
    api = KubernetesClient()
    with closing(PodsCluster(folder, kubeconfig, images)) as made:
        made.api = api
        try:
            yield made
        finally:
            for namespace in made.namespaces.values():
                made.api.delete(f"/api/v1/namespaces/{namespace}")
