"""The in-cluster sync in a real API server: a pass over unchanged environments, and many releases changed at once.

The cluster is the one that DPPCTL_TEST_KUBECONFIG names; its API server is enough, for nothing has a replica.
Namespaces are made, and deleted afterwards.
"""

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.bench import Bench, numbered
from benchmarks.helm_setting import CHART, CONCURRENCY, open_setting, timed
from benchmarks.measured import peak_memory
from benchmarks.report import ROOT, Result, Row, spread, table

PASS_SECONDS, PASS_MEGABYTES = 5.0, 250.0


RATIO = 1.15


FLUX = "26 s / 100"  # https://fluxcd.io/blog/2023/12/flux-v2.2.0/


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
    with open_setting(bench.new_folder(), 1) as setting:
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
    with open_setting(bench.new_folder(), size) as setting:
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
    memory = peak_memory(os.getpid())
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


def _kubeconfig() -> str:
    return os.environ.get("DPPCTL_TEST_KUBECONFIG", "")


def _main(folder: Path, size: int) -> None:
    with open_setting(folder, size) as setting:
        setting.push(0)
        setting.pretend()
        shutil.rmtree(folder / "mirror")  # a start on a new machine: the ops repo is fetched too
        setting.start()
        runs = setting.helm.runs
        found: dict[str, Any] = {"first": timed(setting.sync)[0]}
        found["passes"] = [timed(setting.sync)[0] for _ in range(5)]
        found["helm"] = setting.helm.runs - runs
        if sum(setting.syncing.counts.done.values()):
            raise RuntimeError("something was done")
    found["memory"] = peak_memory(os.getpid())
    print(json.dumps(found))


if __name__ == "__main__":
    _main(Path(sys.argv[1]), int(sys.argv[2]))
