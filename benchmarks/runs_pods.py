"""Runs in real pods: how soon `dppctl run` shows something, beside a plain Job, and how soon a lost worker is told.

The cluster is that of KUBECONFIG, with DPPCTL_TEST_CLUSTER_REGISTRY as for the tests. Operator and proxy run here.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from benchmarks.bench import Bench, numbered
from benchmarks.report import ROOT, Result, Row, spread
from benchmarks.runs_world import wait_for_workers
from tests.support.charts.rendering import CHART
from tests.support.cluster import CODE, ClusterImages, Namespace, open_cluster_images, open_namespace
from tests.support.needs import declare
from tests.support.stories.operator_world import KEY, RunsNamespace
from tests.support.stories.runs_processes import operator_process, proxy_process
from tests.support.workloads import write_files

FIRST = CODE.replace("spew(", "import sys; sys.stderr.write('the first rows come\\n')\nspew(")
LARGE = CODE.replace("parameters, package", "held = bytearray(600 * 2**20)\nparameters, package")
IN_JOB = "cp -r /app /tmp/app && cd /tmp/app && exec dpp run --verbose ./load"  # /app is not the user's
SLEEPING = CODE.replace("parameters, package", "import time; time.sleep(60)\nparameters, package")


@dataclass(frozen=True)
class Pods:
    """A namespace with two workers that wait, and how the command line gets to them."""

    namespace: Namespace
    images: ClusterImages
    runs: RunsNamespace
    environment: dict[str, str]
    folder: Path

    def run(self, code: str) -> Iterator[tuple[float, str]]:
        """Run `dppctl run`, and yield the seconds and the text of each line that it prints."""
        folder = write_files(self.folder / f"app-{time.time_ns()}", workload(code))
        command = [sys.executable, "-P", "-m", "cli.main", "run", "./load", "--pool", "app"]
        began = time.time()
        with subprocess.Popen(
            command, cwd=folder, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            for line in process.stdout or ():
                yield time.time() - began, line.strip()

    def job(self, image: str, name: str) -> float:
        """Return the seconds until a plain Job with this image has its first rows."""
        container = {
            "name": "app", "image": image, "command": ["sh", "-c", IN_JOB],
            "env": [{"name": "HOME", "value": "/tmp"}],
        }  # fmt: skip
        spec = {"backoffLimit": 0, "template": {"spec": {"restartPolicy": "Never", "containers": [container]}}}
        began = time.time()
        self.namespace.apply({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": spec})
        while "the first rows come" not in self._log(name):
            if time.time() > began + 120:
                raise TimeoutError(self._log(name))
            time.sleep(0.1)
        return time.time() - began

    def _log(self, job: str) -> str:
        command = ["logs", f"job/{job}"]
        try:
            return self.namespace.kubectl(*command)
        except AssertionError:  # its pod does not run yet
            return ""


def runs_pods(bench: Bench) -> Result:
    """Measure runs in real pods."""
    title = "`dppctl run` in a worker that waits, in real pods"
    if not os.environ.get("KUBECONFIG") or not os.environ.get("DPPCTL_TEST_CLUSTER_REGISTRY"):
        missing = "KUBECONFIG or DPPCTL_TEST_CLUSTER_REGISTRY names no cluster"
        return Result(title, [Row(title, "", missing, None)])
    progress, rows_come, jobs, replaced = list[float](), list[float](), list[float](), list[float]()
    with open_pods(bench) as pods:
        job_image = pods.images.app(pods.folder, workload(FIRST))
        for pair in numbered(1 if bench.quick else 5, "pair"):
            wait_for_workers(pods.runs, 2)
            lines = pods.run(FIRST)
            at = {"progress": 0.0, "rows": 0.0}
            for seconds, line in lines:
                if "./load" in line and not at["progress"]:
                    at["progress"] = seconds
                    began = time.time()
                if "the first rows come" in line or (" rows" in line and not at["rows"]):
                    at["rows"] = at["rows"] or seconds
            progress.append(at["progress"])
            rows_come.append(at["rows"])
            wait_for_workers(pods.runs, 2)
            replaced.append(time.time() - began)
            jobs.append(pods.job(job_image, f"job-{pair}"))
        lost = {"OOM": _lost(pods, LARGE, lambda _: None), "deleted": _lost(pods, SLEEPING, pods.runs.remove_pod)}
    middle = {name: statistics.median(each) for name, each in (("first", progress), ("job", jobs), ("rows", rows_come))}
    rows = [
        Row(f"{title}: first line of progress", "2.5 s", f"{middle['first']:.2f} s", middle["first"] <= 2.5),
        Row("… with the runner that waits", "1 s", f"{middle['first']:.2f} s", middle["first"] <= 1),
        Row("… first rows; a plain Job with the same image", "sooner", f"{middle['rows']:.2f} s, {middle['job']:.2f} s",
            middle["rows"] < middle["job"]),
        Row("… another worker waits again, counted from that line", "6 s", f"{statistics.median(replaced):.1f} s",
            statistics.median(replaced) <= 6),
        Row("… a worker without memory is told after", "5 s", f"{lost['OOM']:.1f} s", lost["OOM"] <= 5),
        Row("… a pod that was deleted is told after", "30 s", f"{lost['deleted']:.1f} s", lost["deleted"] <= 30),
    ]  # fmt: skip
    details = (
        f"{len(progress)} runs and Jobs in turn, of five rows each. First line: {spread(progress)}; first rows: "
        f"{spread(rows_come)}; Job: {spread(jobs)}. Node, operator and proxy are on this machine."
    )
    return Result(title, rows, details)


def _lost(pods: Pods, code: str, harm: Callable[[str], None]) -> float:
    """Return the seconds from the end of a worker to the end of its run."""
    wait_for_workers(pods.runs, 2)
    name = pods.runs.ask("all", pool="app", workload=pods.runs.pack(workload(code)))
    status = pods.runs.until(name, "Running")
    began = time.time()
    harm(status["worker"]["name"])
    ended = pods.runs.until(name, "Lost", "Failed")
    if "memory" in (ended.get("message") or ""):
        began = _killed_at(pods, name) or began
    return time.time() - began


def _killed_at(pods: Pods, name: str) -> float | None:
    """Return when the worker told that its step was killed: the kernel kills that, or the container."""
    told = [event for event in pods.runs.events_of(name) if event["event"] in ("log", "finished", "ended")]
    times = [event["time"] for event in told if isinstance(event.get("time"), str)]
    return datetime.fromisoformat(times[0]).timestamp() if times else None


def workload(code: str) -> dict[str, str]:
    """Return the files of a workload with one pipeline, `./load`."""
    return {"pipeline-spec.yaml": json.dumps({"load": {"pipeline": [{"run": "rows", "code": code}]}})}


@contextmanager
def open_pods(bench: Bench) -> Iterator[Pods]:
    """Deploy two workers that wait, and have an operator and a proxy beside them."""
    declare("a cluster", "buildah", "podman", "busybox", "helm")
    folder, kubeconfig = bench.new_folder(), os.environ["KUBECONFIG"]
    with open_cluster_images(bench.runtime, folder) as images, open_namespace(folder) as namespace:
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "dppctl-workers"}}
        namespace.apply({**secret, "data": {"key": b64encode(KEY).decode()}})
        small = {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "500Mi"}}
        image = images.app(folder, {})
        values = images.people(resources=small, workers={"enabled": True, "replicas": 2, "image": image})
        namespace.deploy(CHART, {**values, "image": image})
        runs = RunsNamespace(folder, kubeconfig, namespace.name, 8080)
        operator = operator_process(runs, kubeconfig)
        proxy, token = proxy_process(runs, kubeconfig, operator)
        clusters = {"current": "office", "clusters": {"office": {"url": proxy.url}}}
        write_files(folder / "config" / "dppctl", {"clusters.json": json.dumps(clusters)})
        own = {"XDG_CONFIG_HOME": str(folder / "config"), "DPPCTL_TOKEN": token, "PYTHONPATH": str(ROOT)}
        try:
            yield Pods(namespace, images, runs, {**os.environ, **own}, folder)
        finally:
            proxy.stop()
            operator.stop()
