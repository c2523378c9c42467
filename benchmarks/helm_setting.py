"""Apps in one ops repo, an API server and helm, with the in-cluster sync or without it."""

import resource
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bot.git.command import Git
from bot.git.mirror import Mirror
from bot.kubernetes import KubernetesClient
from bot.model.names import RepoPath
from bot.model.registration import Target
from bot.model.values import Source, Values
from bot.settings import load_settings
from cluster.sync.helm import records
from cluster.sync.helm.charts import Charts
from cluster.sync.helm.context import SyncContext
from cluster.sync.helm.decide import Rules
from cluster.sync.helm.desired import ReleaseTarget, release_name
from cluster.sync.helm.helm import Helm
from cluster.sync.helm.state import Record
from cluster.sync.helm.sync import HelmSync
from cluster.sync.repositories import Repositories
from tests.support.forge import Forge
from tests.support.helm import helm

CONCURRENCY = 4


CHART = {
    "chart/Chart.yaml": "apiVersion: v2\nname: small\nversion: 0.1.0\n",
    "chart/templates/all.yaml": (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: '{{ .Release.Name }}'}\nspec:\n  replicas: 0\n"
        "  selector: {matchLabels: {app: '{{ .Release.Name }}'}}\n  template:\n"
        "    metadata: {labels: {app: '{{ .Release.Name }}'}, annotations: {number: '{{ .Values.number }}'}}\n"
        "    spec: {containers: [{name: a, image: a}]}\n"
        "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: '{{ .Release.Name }}'}\n"
        "data: {number: '{{ .Values.number }}'}\n"
        "---\napiVersion: v1\nkind: Service\nmetadata: {name: '{{ .Release.Name }}'}\n"
        "spec: {selector: {app: '{{ .Release.Name }}'}, ports: [{port: 80}]}\n"
    ),
}


class Setting:
    """Apps in one ops repo, two namespaces, a sync."""

    def __init__(self, folder: Path, size: int) -> None:
        self.folder, self.size, self.chart = folder, size, CHART
        self.forge = Forge(folder)
        self.ops = self.forge.repository("ann/ops")
        settings = load_settings(folder, {"DPPCTL_GITHUB_URL": self.forge.url}, receives=False)
        self.git = Git(settings)
        self.api = KubernetesClient()
        self.helm = Helm(str(helm()), folder / "helm", 120)
        name = f"bench-{secrets.token_hex(4)}"
        self.namespaces = {"e0": f"{name}-0", "e1": f"{name}-1"}
        for namespace in self.namespaces.values():
            self.api.create("/api/v1/namespaces", {"metadata": {"name": namespace}})
        apps = [RepoPath("ann/apps", f"app{number}") for number in range(size)]
        self.targets = [Target(app, RepoPath("ann/ops", app.path), f"e{number % 2}") for number, app in enumerate(apps)]
        self.places = [ReleaseTarget(one, self.namespaces[one.environment], release_name(one)) for one in self.targets]
        self.url = settings.github.repository_url("ann/ops")
        self.start()

    def start(self) -> None:
        charts = self.folder / "charts" / secrets.token_hex(4)
        charts.mkdir(parents=True)
        self.means = SyncContext(
            api=self.api,
            helm=self.helm,
            charts=Charts(charts),
            repositories=Repositories({"ann/ops": Mirror(self.git, self.url, self.folder / "mirror")}),
            report=lambda _: None,
            slots=threading.Semaphore(CONCURRENCY),
        )
        rules = Rules(drift_seconds=None)
        self.syncing = HelmSync(self.means, frozenset(self.targets), self.namespaces, rules, threading.Event())

    def push(self, number: int) -> None:
        """Give every environment new values."""
        files: dict[str, str] = {}
        for target in self.targets:
            app = target.app
            source = Source(repository=app.repository, path=app.path, ref="refs/heads/master", commit=f"{number:040x}")
            files[target.values_file] = Values(image=None, source=source, pipelines=()).to_yaml()
            files[target.ops.file(f"environments/{target.environment}/values.yaml")] = f"number: {number}\n"
            files |= {target.ops.file(name): text for name, text in self.chart.items()}
        for name, text in files.items():  # as they are: a template is no text to be dedented
            file = self.ops.work / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        self.ops.push_all()

    def sync(self) -> None:
        if not self.syncing.sync():
            raise RuntimeError("a release was not deployed")

    def ours(self, number: int) -> tuple[float, float]:
        """Return the seconds and the CPU seconds that sync takes."""
        self.push(number)
        return timed(self.sync)

    def by_hand(self, number: int) -> tuple[float, float]:
        """Return the same of helm alone; a sync after it sees by the fingerprint "plain" that somebody did."""
        self.push(number)
        return timed(self.upgrade_all)

    def upgrade_all(self) -> None:
        """Upgrade all by helm alone."""
        stop = threading.Event()

        def upgrade(place: ReleaseTarget) -> None:
            ops = self.ops.work / place.target.ops.path
            values = ops / "environments" / place.target.environment
            files = [values / "values.yaml", values / "values.auto-updated.yaml"]
            self.helm.upgrade(place.release, place.namespace, ops / "chart", files, "plain", stop)

        with ThreadPoolExecutor(CONCURRENCY) as pool:
            list(pool.map(upgrade, self.places))

    def until_pod(self, number: int, deploy: Callable[[], None]) -> float:
        """Return the seconds from the push of new values to the running pod that has them."""
        self.push(number)
        (place,) = self.places
        with ThreadPoolExecutor(1) as pool:
            began = time.perf_counter()
            deployed = pool.submit(deploy)
            while not any(
                _runs(pod, number) for pod in self.api.list(f"/api/v1/namespaces/{place.namespace}/pods", "")
            ):
                if deployed.done() and deployed.exception():
                    break
                time.sleep(0.02)
            seconds = time.perf_counter() - began
            deployed.result()
        return seconds

    def pretend(self) -> None:
        """Pretend that all is deployed: write what helm and sync would have written, without the time that it takes."""
        self.syncing.read()
        for place, wanted in self.syncing.known():
            assert wanted
            labels = {"owner": "helm", "name": place.release, "status": "deployed", "version": "1"}
            name = f"sh.helm.release.v1.{place.release}.v1"
            metadata = {"name": name, "labels": {**labels, "dppctl.io/fingerprint": wanted.fingerprint}}
            body: dict[str, Any] = {"metadata": metadata, "type": "helm.sh/release.v1"}
            body["stringData"] = {"release": "x" * 8000}  # as large as a small chart's
            self.api.create(f"/api/v1/namespaces/{place.namespace}/secrets", body)
            records.write(self.api, place, Record(wanted.fingerprint, "succeeded", 1, 1))

    def close(self) -> None:
        self.helm.close()
        self.git.close()
        for namespace in self.namespaces.values():
            self.api.delete(f"/api/v1/namespaces/{namespace}")


def _runs(pod: dict[str, Any], number: int) -> bool:
    mine = (pod["metadata"].get("annotations") or {}).get("number") == str(number)
    return mine and pod["status"].get("phase") == "Running"


@contextmanager
def open_setting(folder: Path, size: int) -> Iterator[Setting]:
    setting = Setting(folder, size)
    try:
        yield setting
    finally:
        setting.close()


def timed(work: Any) -> tuple[float, float]:
    def cpu() -> float:
        usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(one.ru_utime + one.ru_stime for one in usages)

    before, began = cpu(), time.perf_counter()
    work()
    return time.perf_counter() - began, cpu() - before
