"""Waiting workers and databases of the pipelines' chart in real pods, and an operator beside them."""

import json
import os
import time
from base64 import b64encode
from pathlib import Path

import psycopg
import pytest
import requests

from tests.support.charts.rendering import CHART
from tests.support.cluster import CODE, TO_SQL, ClusterImages, Namespace
from tests.support.stories.operator_world import KEY, TOKEN, RunsNamespace
from tests.support.waiting import eventually

SECONDS = 180
SLOW = CODE.replace("parameters, package", "import time; time.sleep(8)\nparameters, package")
LARGE = CODE.replace("parameters, package", "held = bytearray(400 * 2**20)\nparameters, package")


def workload(code: str, *more: object) -> dict[str, str]:
    return {"pipeline-spec.yaml": json.dumps({"load": {"pipeline": [{"run": "rows", "code": code}, *more]}})}


def test_runs_are_handed_to_waiting_pods_and_followed_whatever_happens(
    namespace: Namespace, cluster_images: ClusterImages, tmp_path: Path
) -> None:
    """A run with its database; one whose operator is ended in the middle; one without memory; one out of time."""
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "dppctl-workers"}}
    namespace.apply({**secret, "data": {"key": b64encode(KEY).decode()}})
    small = {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "300Mi"}}
    image = cluster_images.app(tmp_path, {})
    pool = {"enabled": True, "replicas": 2, "image": image, "database": True, "databaseUi": False}
    database = {**cluster_images.database(), "enabled": False}
    people = cluster_images.people(resources=small, workers=pool, database=database)
    namespace.deploy(CHART, {**people, "image": image})
    runs = RunsNamespace(tmp_path, os.environ["KUBECONFIG"], namespace.name, 8080)

    def ask(code: str, *steps: object, **spec: object) -> str:
        return runs.ask("all", pool="app", workload=runs.pack(workload(code, *steps)), **spec)

    def has_gone(pod: str) -> bool:
        return all(found["metadata"]["uid"] != pod or "deletionTimestamp" in found["metadata"] for found in runs.pods())

    with runs.operator():
        name = ask(CODE, TO_SQL, database="postgres", keepSeconds=10)
        status = runs.until(name, "Succeeded")
        url = f"{runs.url}/runs/{runs.run(name)['metadata']['uid']}/database"
        own = requests.get(url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10).json()
        where = {"host": own["host"], "port": own["port"], "user": own["user"], "dbname": own["database"]}
        with psycopg.connect(**where, password=own["password"]) as connection:
            assert connection.execute("select count(*), sum(number) from numbers").fetchone() == (5, 10)
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(**where, password="other").close()
        assert status["rows"] == 5
        receipt = next(event["receipt"] for event in runs.events_of(name) if event["event"] == "ended")
        [field] = receipt["pipelines"][0]["resources"][0]["fields"]
        assert field == {"name": "number", "type": "integer", "nulls": 0, "least": "0", "greatest": "4"}
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
        eventually(lambda: has_gone(status["database"]["uid"]), "the keep time of the database is over", SECONDS)
        eventually(
            lambda: len([pod for pod in runs.pods() if pod["status"]["phase"] == "Running"]) == 3, "all wait", SECONDS
        )
