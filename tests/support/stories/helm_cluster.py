"""A cluster without a node, an ops repo with a small chart, and sync between them.

The API server, the controllers and helm are real. What a kubelet would do, a test does: it says how a pod and its Job
fare by their status.
"""

import json
import os
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.git.mirror import Mirror
from bot.kubernetes import KubernetesClient, Object
from bot.model.decisions import AskedBy, Update
from bot.model.registration import Target
from bot.model.reports import SyncEvent
from bot.model.values import Pipeline, Source, Values
from bot.reconcile.ops_repo import OpsRepo
from cluster.sync.helm.charts import Charts
from cluster.sync.helm.context import SyncContext
from cluster.sync.helm.decide import Rules
from cluster.sync.helm.helm import Helm
from cluster.sync.helm.job_run import JobLimits
from cluster.sync.helm.records import OwnedRecord, records
from cluster.sync.helm.releases import manifest, newest
from cluster.sync.helm.sync import HelmSync
from cluster.sync.repositories import Repositories
from tests.support.helm import helm
from tests.support.stories.small_chart import CHART
from tests.support.waiting import eventually
from tests.support.world import PRODUCTION, STAGING, World


class Cluster:
    """Has methods for what people, kubelets and the clock do; `close` it at the end."""

    def __init__(
        self,
        folder: Path,
        kubeconfig: str,
        *,
        major: int = 4,
        chart: Mapping[str, str] = CHART,
        seconds: float = 20,
        namespaces: Mapping[str, str] | None = None,
    ) -> None:
        """Take the chart's files, helm's time limit, and the environments' namespaces; None: two new ones."""
        os.environ["KUBECONFIG"] = kubeconfig  # helm's and ours; the fixture puts it back
        self.folder = folder
        self.world = World(folder, receives=False, SYNC_TOKEN="s3cret")
        self.ops = self.world.ops
        self.ops.push(dict(chart))
        self.api = KubernetesClient()
        self.api_of_sync = self.api
        name = f"sync-{secrets.token_hex(4)}"
        self.namespaces = dict(namespaces or {"staging": f"{name}-s", "production": f"{name}-p"})
        for namespace in () if namespaces else self.namespaces.values():
            self.api.create("/api/v1/namespaces", {"metadata": {"name": namespace}})
        self.targets = frozenset({STAGING, PRODUCTION})
        self.events: list[SyncEvent] = []
        self.number: int | None = None  # of the deployment that is reported next
        self.helm = Helm(str(helm(major)), folder / "helm", seconds, ["s3cret"])
        self.writer = OpsRepo(self.world.git, self.world.settings.github.repository_url("ann/ops"), folder / "writer")
        self.sync = self.start()

    def start(self, *, limits: JobLimits = JobLimits(), repair: bool = True, **rules: Any) -> HelmSync:  # noqa: B008
        """Make a sync, as after a start of the program."""
        charts = self.folder / "charts" / secrets.token_hex(4)
        charts.mkdir(parents=True)
        mirror = Mirror(self.world.git, self.world.settings.github.repository_url("ann/ops"), self.folder / "mirror")
        self.context = SyncContext(
            api=self.api_of_sync,
            helm=self.helm,
            charts=Charts(charts),
            repositories=Repositories({"ann/ops": mirror}),
            report=self.report,
            slots=threading.Semaphore(2),
            limits=limits,
            repair=repair,
        )
        given = Rules(**{"helm_seconds": 20, "drift_seconds": None, **rules})
        self.sync = HelmSync(self.context, self.targets, self.namespaces, given, threading.Event())
        return self.sync

    def close(self) -> None:
        """End helm, and close what it opened."""
        self.helm.close()
        self.world.close()

    def report(self, event: SyncEvent) -> int | None:
        """Keep what sync reports; return the number that the receiver gave the deployment, if it does."""
        self.events.append(event)
        return self.number

    @contextmanager
    def running(self) -> Iterator[HelmSync]:
        """Run sync in a thread, as in the program; it looks each time somebody commits, and twice a second."""
        ended = threading.Event()

        def wake() -> None:
            while not ended.wait(0.5):
                self.sync.wake()

        threads = [threading.Thread(target=self.sync.run), threading.Thread(target=wake)]
        for thread in threads:
            thread.start()
        try:
            yield self.sync
        finally:
            ended.set()
            self.sync.stop()
            for thread in threads:
                thread.join(20)
                assert not thread.is_alive()

    def say(
        self,
        image: str = "one",
        *,
        pipelines: tuple[str, ...] = ("./one",),
        target: Target = STAGING,
        people: Mapping[str, object] | None = None,
        commit: str | None = None,
        request: int | None = None,
        accept: bool = False,
        asked: AskedBy | None = None,
    ) -> str:
        """Commit as the bot that this is to run, and as people their values; return the source's commit, a new one.

        Sync sees both or neither.
        """
        commit = commit or secrets.token_hex(20)
        source = Source(repository="ann/app", path="", ref="refs/heads/master", commit=commit)
        chosen = tuple(Pipeline(id=name) for name in pipelines)
        values = Values(image=image, source=source, pipelines=chosen, request=request, accept=accept)
        with self.context.repositories.use("ann/ops"):
            self.writer.refresh()
            self.writer.write([Update(target, values, asked=asked)])
            if people is not None:
                self.people_say(people, target)
        return commit

    def people_say(self, values: Mapping[str, object], target: Target = STAGING) -> None:
        """Write values.yaml, as people do."""
        self.ops.pull()
        self.ops.push({f"environments/{target.environment}/values.yaml": json.dumps(dict(values)) + "\n"})

    def release(self, target: Target = STAGING) -> Any:
        place = self.sync.location(target)
        return newest(self.api, place.namespace, place.release)

    def kept(self, target: Target = STAGING) -> OwnedRecord | None:
        place = self.sync.location(target)
        return records(self.api, place.namespace).get(place.release)

    def phase(self, target: Target = STAGING) -> str:
        kept = self.kept(target)
        return kept.record.phase if kept else ""

    def until(self, phase: str, target: Target = STAGING, *, image: str = "") -> None:
        """Wait for the record to say so, and for its report; `image`: of that image, and not of what was before."""

        def is_so() -> bool:
            kept = self.kept(target)
            if kept is None or kept.record.phase != phase or not (kept.record.reported or phase == "running"):
                return False
            place = self.sync.location(target)
            made = manifest(self.api, place.namespace, place.release, kept.record.revision) if image else ""
            return f'image: "{image}"' in made or not image

        eventually(is_so, f"{target.environment} is {phase}")

    def phases(self, target: Target = STAGING) -> list[str]:
        """Return the reported phases, without progress."""
        phases = [event.phase for event in self.events if event.environment == target.environment]
        return [phase for phase in phases if phase != "progress"]

    def last(self, target: Target = STAGING) -> SyncEvent:
        return [event for event in self.events if event.environment == target.environment][-1]

    def objects(self, kind: str, target: Target = STAGING) -> list[Object]:
        """Return all of a kind (`jobs`, `pods`, `configmaps`) in the environment's namespace."""
        base = {"jobs": "/apis/batch/v1", "deployments": "/apis/apps/v1"}.get(kind, "/api/v1")
        return self.api.list(f"{base}/namespaces/{self.namespaces[target.environment]}/{kind}")

    def text(self, target: Target = STAGING) -> str:
        """Return what the release's ConfigMap says now."""
        found = self.api.get(self.path("configmaps", "-text", target))
        return str(found["data"]["text"]) if found else ""

    def path(self, kind: str, suffix: str, target: Target = STAGING) -> str:
        """Return the API's path of an object of the release."""
        place = self.sync.location(target)
        base = "/apis/apps/v1" if kind == "deployments" else "/api/v1"
        return f"{base}/namespaces/{place.namespace}/{kind}/{place.release}{suffix}"

    def job(self, target: Target = STAGING) -> Object:
        """Wait for a Job that has not ended, and for its pod; return the newest."""

        def found() -> Object | None:
            running = [one for one in self.objects("jobs", target) if not (one.get("status") or {}).get("conditions")]
            with_pod = {one["metadata"]["labels"].get("job-name") for one in self.objects("pods", target)}
            ready = [one for one in running if one["metadata"]["name"] in with_pod]
            return ready[-1] if ready else None

        return eventually(found, "there is a Job that runs") or {}

    def pod_says(self, status: Mapping[str, Any], target: Target = STAGING) -> None:
        """Write the status of the Job's pod, as the kubelet does."""
        name = self.job(target)["metadata"]["name"]
        [pod] = [one for one in self.objects("pods", target) if one["metadata"]["labels"].get("job-name") == name]
        path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}/status"
        self.api.patch(path, {"status": dict(status)})

    def job_ends(self, receipt: Mapping[str, Any] | None = None, target: Target = STAGING, **container: Any) -> None:
        """End the Job's pod with this receipt, or as `container` says (exitCode, reason, message)."""
        ok = receipt is not None and receipt["status"] == "succeeded"
        message = json.dumps(receipt) if receipt else ""
        ended = {"exitCode": 0 if ok else 1, "reason": "Completed" if ok else "Error", "message": message, **container}
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        state = {"terminated": {"startedAt": now, "finishedAt": now, "containerID": "c://1", **ended}}
        container_status = {
            "name": "pipelines", "state": state, "image": "x", "imageID": "x", "ready": False, "restartCount": 0
        }  # fmt: skip
        phase = "Succeeded" if ok else "Failed"
        self.pod_says({"phase": phase, "containerStatuses": [container_status]}, target)


def receipt(status: str = "succeeded", rows: int = 3, error: str | None = None) -> dict[str, Any]:
    """Return a receipt as a worker leaves it."""
    now = datetime.now(UTC).isoformat()
    one = {"id": "./one", "status": status, "rows": rows, "error": error}
    return {"status": status, "pipelines": [one], "source": None, "image": None, "started": now, "ended": now}


def wait_a_moment() -> None:
    """Wait for what must not happen, as long as it took when it did."""
    time.sleep(2)
