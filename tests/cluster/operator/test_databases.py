"""Databases of runs, on a real API server; a thread does what a kubelet would."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests

from cluster.operator.databases import engine_of, password_of
from cluster.operator.state import DATABASE, PoolPod, read_pod
from tests.support.stories.github import free_port
from tests.support.stories.named_run import NamedRun
from tests.support.stories.operator_world import KEY, TOKEN, OperatorWorld
from tests.support.waiting import eventually


@pytest.fixture
def world(tmp_path: Path, kubeconfig: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[OperatorWorld]:
    monkeypatch.setattr("worker.server.Run", NamedRun)
    monkeypatch.setattr("cluster.operator.run_task.WORKER_RETRY_SECONDS", 0.1)
    monkeypatch.setattr("cluster.operator.operator.OPERATOR_LIST_SECONDS", 0.5)
    with closing(OperatorWorld(tmp_path, kubeconfig, free_port(), databases=1)) as made:
        yield made


def access(world: OperatorWorld, name: str) -> tuple[int, dict[str, Any]]:
    url = f"{world.url}/runs/{world.run(name)['metadata']['uid']}/database"
    answer = requests.get(url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10)
    return answer.status_code, answer.json()


@pytest.mark.needs("an API server")
def test_a_run_has_a_database_of_its_own_for_its_keep_time(
    world: OperatorWorld, capfd: pytest.CaptureFixture[str]
) -> None:
    with world.operator():
        name = world.ask("wait", database="postgres", keepSeconds=2, ttlSecondsAfterFinished=0)
        uid = world.run(name)["metadata"]["uid"]
        status = world.until(name, "Running")
        own = status["database"]
        (pod,) = [each for each in world.pods() if each["metadata"]["uid"] == own["uid"]]
        assert pod["metadata"]["labels"]["dppctl.io/run"] == uid
        assert pod["metadata"]["ownerReferences"][0]["name"] == name
        assert pod["spec"]["activeDeadlineSeconds"] >= 3600 + 3600 + 2
        password = password_of(KEY, own["uid"])
        engine = f"postgresql://postgres:{password}@{pod['status']['podIP']}:5432/postgres"
        (worker,) = [each for each in world.pods() if each["metadata"]["uid"] == status["worker"]["uid"]]
        assert 3600 < worker["spec"]["activeDeadlineSeconds"] < 3600 + 600  # without an operator the kubelet ends it
        assert world.environments[uid] == {"DPP_DB_ENGINE": engine}
        code, found = access(world, name)
        assert (code, found["password"], found["host"]) == (200, password, pod["status"]["podIP"])
        plain = world.ask("rows")
        assert "database" not in world.until(plain, "Succeeded")
        assert world.environments[world.run(plain)["metadata"]["uid"]] == {}
        assert access(world, plain)[1]["code"] == "no-database"
        # It goes on with another operator, ends, and is kept.
    world.stop(name)
    with world.operator():
        status = world.until(name, "Stopped")
        assert status["database"] == {**own, "expiresAt": status["database"]["expiresAt"]}
        assert status["database"]["expiresAt"] > status["finishedAt"]
        assert access(world, name)[0] == 200
        eventually(lambda: own["uid"] not in {each["metadata"]["uid"] for each in world.pods()}, "its time is over")
        eventually(lambda: world.api.get(f"{world.path()}/{name}") is None, "the run goes after it")
    said = "".join(capfd.readouterr())
    assert password not in said + str(world.api.list(world.path()))


def test_addresses_are_those_of_ipv4_and_ipv6_and_the_ui_is_said_if_there_is_one() -> None:
    pod = PoolPod("db", "u1", "default", "assigned", DATABASE, address="fd00::7")
    assert engine_of(b"key", pod).partition("@")[2] == "[fd00::7]:5432/postgres"
    labels = {"app.kubernetes.io/component": "database", "dppctl.io/pool": "p", "dppctl.io/state": "available"}
    about = {"name": "db", "uid": "u1", "labels": labels, "creationTimestamp": "2026-01-01T00:00:00Z"}
    ended = [{"name": "postgresql", "lastState": {"terminated": {"exitCode": 1}}}]
    seen = read_pod(
        {
            "metadata": about,
            "spec": {"containers": [{"name": "postgresql"}, {"name": "adminer"}]},
            "status": {"containerStatuses": ended},
        }
    )
    assert (seen.component, seen.has_ui, seen.is_usable) == (DATABASE, True, True)  # it begins anew with its files
