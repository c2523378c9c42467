"""Runs by the proxy: a real API server, a real operator, a thread in the place of a kubelet."""

import hashlib
import io
import json
import os
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.stories.operator_world import OperatorWorld
from tests.support.stories.proxy_world import Person, ProxyWorld
from tests.support.waiting import eventually

pytestmark = pytest.mark.needs("an API server")


def archive(text: str) -> tuple[str, bytes]:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as packed:
        member = tarfile.TarInfo("a.txt")
        member.size = len(text)
        packed.addfile(member, io.BytesIO(text.encode()))
    return hashlib.sha256(content.getvalue()).hexdigest(), content.getvalue()


def body(runs: OperatorWorld, *pipelines: str, **more: object) -> dict[str, Any]:
    return {"pipelines": pipelines or ["rows"], "workload": runs.workload, **more}


def ended(ann: Person, name: str) -> dict[str, Any]:
    """Wait for a run's end, by its events, and return it."""
    ann.events(name)
    return ann.get(f"/v1/runs/{name}")


def test_a_workload_is_uploaded_once_run_and_followed_to_its_end(proxy: ProxyWorld) -> None:
    ann = proxy.person()
    digest, content = archive("rows")
    assert ann.ask("HEAD", f"/v1/workloads/{digest}").status_code == 404
    asked = {"pipelines": ["log", "rows"], "workload": {"sha256": digest, "bytes": len(content)}}
    assert ann.refused("POST", "/v1/runs", json=asked) == (
        409,
        {
            "error": f"the workload {digest} is not here",
            "code": "workload-missing",
            "hint": "upload it: PUT /v1/workloads/SHA256",
        },
    )
    assert ann.ask("PUT", f"/v1/workloads/{digest}", data=content).status_code == 201
    assert ann.ask("PUT", f"/v1/workloads/{digest}", data=content).status_code == 200
    assert ann.ask("HEAD", f"/v1/workloads/{digest}").status_code == 200
    created = ann.ask("POST", "/v1/runs", json=asked)
    run = created.json()
    assert (created.status_code, created.headers["Location"]) == (201, f"/v1/runs/{run['name']}")
    assert (run["user"], run["phase"], run["pipelines"]) == ("token:ann", "Pending", ["log", "rows"])

    lines = ann.events(run["name"])
    numbered = [line["number"] for line in lines if line and "number" in line]
    assert numbered == list(range(1, len(numbered) + 1))
    phases = [line["phase"] for line in lines if line and line["event"] == "run"]
    assert phases[-1] == "Succeeded"
    again = [line["number"] for line in ann.events(run["name"], after=numbered[-3]) if line and "number" in line]
    assert again == numbered[-2:]
    done = ann.get(f"/v1/runs/{run['name']}")
    assert (done["phase"], done["rows"]) == ("Succeeded", 3)
    assert done["created"] <= done["started"] <= done["finished"]
    assert done["name"] in [each["name"] for each in ann.get("/v1/runs")["runs"]]


def test_the_same_key_is_the_same_run_and_another_one_for_other_people(runs: OperatorWorld, proxy: ProxyWorld) -> None:
    ann, ben = proxy.person(), proxy.person("ben")
    key = {"Idempotency-Key": "key-1"}
    first, second = (ann.ask("POST", "/v1/runs", json=body(runs), headers=key) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["uid"] == second.json()["uid"]
    assert ben.ask("POST", "/v1/runs", json=body(runs), headers=key).json()["name"] != first.json()["name"]
    status, problem = ann.refused("POST", "/v1/runs", json=body(runs, "log"), headers=key)
    assert (status, problem["code"]) == (409, "key-used")
    assert ann.refused("POST", "/v1/runs", json=body(runs), headers={"Idempotency-Key": "a b"})[0] == 400


def test_a_run_is_its_users_alone_but_for_admins(runs: OperatorWorld, proxy: ProxyWorld) -> None:
    ann, ben, root = proxy.person(), proxy.person("ben"), proxy.person("root", ("read", "run", "admin"))
    name = ann.ask("POST", "/v1/runs", json=body(runs, "wait")).json()["name"]
    for path in ("", "/events", "/stop"):
        method = "POST" if path == "/stop" else "GET"
        assert ben.refused(method, f"/v1/runs/{name}{path}")[1]["error"] == f"there is no run {name} of yours"
    assert name not in [run["name"] for run in ben.get("/v1/runs")["runs"]]
    assert ben.refused("GET", "/v1/runs?all=1")[0] == 403
    assert name in [run["name"] for run in root.get("/v1/runs?all=1")["runs"]]
    eventually(lambda: ann.get(f"/v1/runs/{name}")["phase"] == "Running", "it runs")
    worker = ann.get(f"/v1/runs/{name}")["worker"]["name"]

    def shown(person: Person) -> dict[str, Any]:
        return next(pod for pod in person.get("/v1/pods")["pods"] if pod["name"] == worker)

    assert (shown(ann)["kind"], shown(ann)["state"], shown(ann)["run"]) == ("worker", "assigned", name)
    assert shown(ben)["run"] is None
    assert ben.refused("DELETE", f"/v1/pods/{worker}")[0] == 404
    assert root.ask("DELETE", f"/v1/pods/{worker}").status_code == 202  # its run is stopped
    assert (ended(ann, name)["phase"], ended(ann, name)["message"]) == ("Stopped", "it was stopped by token:root")
    assert ann.ask("POST", f"/v1/runs/{name}/stop").json()["phase"] == "Stopped"  # and stays so


def test_a_run_that_is_stopped_says_by_whom(runs: OperatorWorld, proxy: ProxyWorld) -> None:
    ann = proxy.person()
    name = ann.ask("POST", "/v1/runs", json=body(runs, "wait")).json()["name"]
    assert ann.ask("POST", f"/v1/runs/{name}/stop").status_code == 202
    assert ended(ann, name)["message"] in ("it was stopped by token:ann", "it was stopped before it had a worker")


def test_the_cluster_says_what_it_has_and_what_it_has_not(runs: OperatorWorld, proxy: ProxyWorld) -> None:
    ann = proxy.person("ann", ("read", "run"))
    eventually(lambda: ann.get("/v1/cluster")["pools"][0]["waiting"] == 2, "two wait")
    assert ann.get("/v1/cluster") == {
        "name": "test cluster",
        "version": "1.2.3",
        "public": False,
        "user": "token:ann",
        "scopes": ["read", "run"],
        "pools": [{"name": "default", "waiting": 2, "mode": "ephemeral"}],
        "limits": {"workloadBytes": 268_435_456},
        "storage": None,
        "login": "ann",
    }
    assert ann.refused("POST", "/v1/runs", json=body(runs, pool="large")) == (
        404,
        {"error": "there is no pool large", "code": "no-such-pool", "hint": "known: default"},
    )
    of_image = ann.ask("POST", "/v1/runs", json=body(runs, image="example.org/app:1")).json()  # the operator's to make
    assert of_image["pool"].startswith("image-")
    ann.ask("POST", f"/v1/runs/{of_image['name']}/stop")
    waiting = ann.get("/v1/pods")["pods"][0]["name"]
    assert ann.refused("DELETE", f"/v1/pods/{waiting}")[0] == 403
    assert proxy.person("root", ("run", "admin")).ask("DELETE", f"/v1/pods/{waiting}").status_code == 202


def test_what_comes_is_not_kept_back(runs: OperatorWorld, proxy: ProxyWorld) -> None:
    ann = proxy.person()
    name = ann.ask("POST", "/v1/runs", json=body(runs, "wait")).json()["name"]
    answer = ann.ask("GET", f"/v1/runs/{name}/events", stream=True)
    assert (answer.headers["X-Accel-Buffering"], answer.headers["Cache-Control"]) == ("no", "no-store")
    assert answer.headers["Content-Type"] == "application/jsonl"
    lines = answer.iter_lines(chunk_size=1)
    assert next(lines)  # it runs on
    assert "dppctl_proxy_streams 1.0" in requests.get(f"{proxy.url}/metrics", timeout=10).text
    answer.close()
    eventually(
        lambda: "dppctl_proxy_streams 0.0" in requests.get(f"{proxy.url}/metrics", timeout=10).text, "it is ended"
    )
    ann.ask("POST", f"/v1/runs/{name}/stop")


def test_streams_end_with_the_proxy_and_go_on_at_the_next(
    runs: OperatorWorld, proxy: ProxyWorld, tmp_path: Path
) -> None:
    other = ProxyWorld(tmp_path, os.environ["DPPCTL_TEST_KUBECONFIG"], runs.namespace, runs.url)
    with other.running():
        ann = other.person()
        name = ann.ask("POST", "/v1/runs", json=body(runs, "log", "wait")).json()["name"]
        answer = ann.ask("GET", f"/v1/runs/{name}/events", stream=True)
        lines = map(json.loads, filter(None, answer.iter_lines(chunk_size=1)))
        last = next(line["number"] for line in lines if line.get("number", 0) > 3)
        begin = time.monotonic()
    assert time.monotonic() - begin < 3
    with pytest.raises(requests.exceptions.ChunkedEncodingError):  # it is seen that this is not the run's end
        list(lines)
    ann = proxy.person()
    ann.ask("POST", f"/v1/runs/{name}/stop")
    assert next(line["number"] for line in ann.events(name, after=last) if line and "number" in line) == last + 1
