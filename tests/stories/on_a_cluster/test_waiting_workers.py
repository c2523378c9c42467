"""Waiting workers of the pipelines' chart in real pods, and an operator beside them."""

import json
import os
import time
from base64 import b64encode
from pathlib import Path

from tests.support.charts.rendering import CHART
from tests.support.cluster import CODE, ClusterImages, Namespace
from tests.support.stories.operator_world import KEY, RunsNamespace
from tests.support.waiting import eventually

SECONDS = 180
SLOW = CODE.replace("parameters, package", "import time; time.sleep(8)\nparameters, package")
LARGE = CODE.replace("parameters, package", "held = bytearray(400 * 2**20)\nparameters, package")


def workload(code: str) -> dict[str, str]:
    return {"pipeline-spec.yaml": json.dumps({"load": {"pipeline": [{"run": "rows", "code": code}]}})}


def test_runs_are_handed_to_waiting_pods_and_followed_whatever_happens(
    namespace: Namespace, cluster_images: ClusterImages, tmp_path: Path
) -> None:
    """A run; one whose operator is ended in the middle; one without memory; one whose time is over."""
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "dppctl-workers"}}
    namespace.apply({**secret, "data": {"key": b64encode(KEY).decode()}})
    small = {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "300Mi"}}
    image = cluster_images.app(tmp_path, {})
    people = cluster_images.people(resources=small, workers={"enabled": True, "replicas": 2, "image": image})
    namespace.deploy(CHART, {**people, "image": image})
    runs = RunsNamespace(tmp_path, os.environ["KUBECONFIG"], namespace.name, 8080)

    def ask(code: str, **spec: object) -> str:
        return runs.ask("all", pool="app", workload=runs.pack(workload(code)), **spec)

    with runs.operator():
        name = ask(CODE)
        status = runs.until(name, "Succeeded")
        assert status["rows"] == 5
        receipt = next(event["receipt"] for event in runs.events_of(name) if event["event"] == "ended")
        assert receipt["pipelines"][0]["resources"][0]["fields"] == [{"name": "number", "type": "integer"}]
        slow = ask(SLOW)
        runs.until(slow, "Running")
    time.sleep(0.5)  # nobody follows it
    with runs.operator():
        assert runs.until(slow, "Succeeded")["rows"] == 5
        numbers = [event["number"] for event in runs.events_of(slow)]
        assert numbers == sorted(set(numbers))
        large, late = ask(LARGE), ask(SLOW, timeoutSeconds=3)
        assert runs.until(late, "Stopped")["reason"] == "TimeLimit"
        # The kernel ends the step alone, or all of the container: https://github.com/kubernetes/kubernetes/pull/117793
        assert "memory" in runs.until(large, "Lost", "Failed")["message"]
        eventually(
            lambda: len([pod for pod in runs.pods() if pod["status"]["phase"] == "Running"]) == 2, "two wait", SECONDS
        )
