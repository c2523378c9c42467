"""The in-cluster sync in a real API server: a pass over unchanged environments, and many releases changed at once.

The cluster is the one that DPPCTL_TEST_KUBECONFIG names; its API server is enough, for nothing has a replica.
Namespaces are made, and deleted afterwards.
"""

import json
import os
import resource
import secrets
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.bench import Bench, numbered
from benchmarks.report import ROOT, Result, Row, spread, table
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

PASS_SECONDS, PASS_MEGABYTES = 5.0, 250.0
RATIO = 1.15
CONCURRENCY = 4
FLUX = "26 s / 100"  # https://fluxcd.io/blog/2023/12/flux-v2.2.0/
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


def pass_1000(bench: Bench) -> Result:
    """Measure in a process of its own the first pass after a start, and those after it."""
    size = 30 if bench.quick else 1000
    title = f"A pass of the in-cluster sync over {size} unchanged environments"
    if not _kubeconfig():
        return Result(title, [Row(title, "", "DPPCTL_TEST_KUBECONFIG names no cluster", None)])
    environment = {**os.environ, "KUBECONFIG": _kubeconfig(), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-P", "-m", "benchmarks.sync_cluster", str(bench.new_folder()), str(size)]
    out = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True)
    found = json.loads(out.stdout)
    seconds, first, memory = max(found["passes"]), found["first"], found["memory"]
    rows = [
        Row(title, f"under {PASS_SECONDS:.0f} s", f"{seconds:.2f} s", seconds < PASS_SECONDS),
        Row("… the first one after a start", f"under {PASS_SECONDS:.0f} s", f"{first:.2f} s", first < PASS_SECONDS),
        Row("… memory, peak", f"under {PASS_MEGABYTES:.0f} MB", f"{memory:.0f} MB", memory < PASS_MEGABYTES),
        Row("… helm processes", "0", str(found["helm"]), found["helm"] == 0),
    ]
    details = (
        f"{size} apps in one ops repo (file://), half of them in each of two namespaces; helm's release Secrets and "
        f"sync's records are in the API server. The slowest of {len(found['passes'])} passes."
    )
    return Result(title, rows, details)


def push_to_pod(bench: Bench) -> Result:
    """Measure pairs on a cluster with a node: a push to the ops repo, or `helm upgrade`, until the pod runs."""
    title = "From a push to the ops repo to a running pod, image cached"
    kubeconfig, image = os.environ.get("KUBECONFIG", ""), os.environ.get("DPPCTL_TEST_CLUSTER_IMAGE", "")
    if not kubeconfig or not image:
        missing = "KUBECONFIG names no cluster, or DPPCTL_TEST_CLUSTER_IMAGE no image with `sleep` that it has"
        return Result(title, [Row(title, "", missing, None)])
    with _setting(bench.new_folder(), 1) as setting:
        setting.chart = {**CHART, "chart/templates/all.yaml": _running(CHART["chart/templates/all.yaml"], image)}
        setting.push(0)
        setting.sync()
        found = []
        for pair in numbered(2 if bench.quick else 10, "pair"):
            plain = setting.until_pod(2 * pair, setting.upgrade_all)
            found.append((plain, setting.until_pod(2 * pair + 1, setting.sync)))
    more = [ours - plain for plain, ours in found]
    row = Row(f"{title}: more than helm alone", "at most 2 s", f"{statistics.median(more):.2f} s", max(more) <= 2)
    details = (
        f"From the moment that the ops repo has the commit. helm alone: {spread([plain for plain, _ in found])}; with "
        f"sync: {spread([ours for _, ours in found])}. The longest difference of a pair: {max(more):.2f} s."
    )
    return Result(title, [row], details)


def _running(template: str, image: str) -> str:
    """Return values for a single replica that sleeps."""
    pod = f"{{terminationGracePeriodSeconds: 0, containers: [{{name: a, image: '{image}', command: [sleep, '3600']}}]}}"
    return template.replace("replicas: 0", "replicas: 1").replace("{containers: [{name: a, image: a}]}", pod)


def releases_100(bench: Bench) -> Result:
    """Measure pairs: sync, and a loop of `helm upgrade` at the same concurrency, on the same releases."""
    size, pairs = (6, 1) if bench.quick else (100, 5)
    title = f"{size} releases changed at once"
    if not _kubeconfig():
        return Result(title, [Row(title, "", "DPPCTL_TEST_KUBECONFIG names no cluster", None)])
    os.environ["KUBECONFIG"] = _kubeconfig()
    with _setting(bench.new_folder(), size) as setting:
        setting.push(0)
        setting.sync()
        found: list[tuple[tuple[float, float], tuple[float, float]]] = []
        for pair in numbered(pairs, "pair"):
            if pair % 2:
                plain = setting.by_hand(2 * pair)
                found.append((plain, setting.ours(2 * pair + 1)))
            else:
                ours = setting.ours(2 * pair)
                found.append((setting.by_hand(2 * pair + 1), ours))
    plain_seconds, our_seconds = [one[0][0] for one in found], [one[1][0] for one in found]
    ratio = statistics.median(our_seconds) / statistics.median(plain_seconds)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    of_helm = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    rows = [
        Row(f"{title}: sync / a loop of `helm upgrade`", f"at most {RATIO} x", f"{ratio:.2f} x", ratio <= RATIO),
        Row("… seconds, sync", f"Flux publishes {FLUX}", f"{statistics.median(our_seconds):.1f} s", None),
        Row("… memory, peak: sync; one helm", "", f"{memory:.0f} MB; {of_helm:.0f} MB", None),
    ]
    lines = [
        (number, f"{plain[0]:.1f}", f"{ours[0]:.1f}", f"{plain[1]:.1f}", f"{ours[1]:.1f}")
        for number, (plain, ours) in enumerate(found, 1)
    ]
    details = (
        f"{CONCURRENCY} helms at a time on both sides, with the same arguments: --rollback-on-failure (so --wait) "
        "and a label. Each release: a Deployment with 0 replicas, a ConfigMap, a Service, no Job. Sync's time is from "
        "its wake to the last report, with what it reads from git and writes into its records. The chart of the loop "
        "lies ready in a folder. CPU: of helm and the Python process, without the API server. The memory is that of "
        "the whole benchmark, which is more than sync's. What sync costs more is CPU on two cores that helm fills: for "
        "each release it writes its record three times, which is what makes a kill at any moment harmless, and runs "
        "git three times.\n\n"
        + table(("pair", "helm s", "sync s", "helm CPU s", "sync CPU s"), lines)
        + f"\n\n- helm: {spread(plain_seconds)}\n- sync: {spread(our_seconds)}"
    )
    return Result(title, rows, details)


class _Setting:
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
        return _timed(self.sync)

    def by_hand(self, number: int) -> tuple[float, float]:
        """Return the same of helm alone; a sync after it sees by the fingerprint "plain" that somebody did."""
        self.push(number)
        return _timed(self.upgrade_all)

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
def _setting(folder: Path, size: int) -> Iterator[_Setting]:
    setting = _Setting(folder, size)
    try:
        yield setting
    finally:
        setting.close()


def _timed(work: Any) -> tuple[float, float]:
    def cpu() -> float:
        usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(one.ru_utime + one.ru_stime for one in usages)

    before, began = cpu(), time.perf_counter()
    work()
    return time.perf_counter() - began, cpu() - before


def _kubeconfig() -> str:
    return os.environ.get("DPPCTL_TEST_KUBECONFIG", "")


def _main(folder: Path, size: int) -> None:
    with _setting(folder, size) as setting:
        setting.push(0)
        setting.pretend()
        shutil.rmtree(folder / "mirror")  # a start on a new machine: the ops repo is fetched too
        setting.start()
        runs = setting.helm.runs
        found: dict[str, Any] = {"first": _timed(setting.sync)[0]}
        found["passes"] = [_timed(setting.sync)[0] for _ in range(5)]
        found["helm"] = setting.helm.runs - runs
        if sum(setting.syncing.counts.done.values()):
            raise RuntimeError("something was done")
    found["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(found))


if __name__ == "__main__":
    _main(Path(sys.argv[1]), int(sys.argv[2]))
