"""A proxy with a usage server: places before runs, limits that end runs, and a log of all that was done."""

import os
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest

from bot.kubernetes import ApiError
from cluster.proxy.cluster_api import ClusterApi
from cluster.usage.reservations import unreleased
from tests.support.environment import use_kubeconfig
from tests.support.needs import needs
from tests.support.stories.github import free_port
from tests.support.stories.named_run import NamedRun
from tests.support.stories.operator_world import OperatorWorld
from tests.support.stories.proxy_world import Person, ProxyWorld
from tests.support.stories.usage_world import PROXY_SERVICE_TOKEN, UsageWorld
from tests.support.waiting import eventually

pytestmark = [pytest.mark.needs("an API server"), pytest.mark.slow]

FREE = "default: {callsPerMinute: null, runs: null, pendingRuns: null, workerHours: null}"


@pytest.fixture(scope="module")
@needs("an API server")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OperatorWorld]:
    with pytest.MonkeyPatch.context() as patch:
        kubeconfig = os.environ["DPPCTL_TEST_KUBECONFIG"]
        use_kubeconfig(patch, kubeconfig)
        patch.setattr("worker.server.Run", NamedRun)
        patch.setattr("cluster.operator.run_task.WORKER_RETRY_SECONDS", 0.1)
        patch.setattr("cluster.proxy.usage_client.ALLOWANCE_SECONDS", 0.0)
        patch.setattr("cluster.proxy.usage_client.ALLOWANCE_AWAY_SECONDS", 0.0)
        patch.setattr("bot.usage_events.EVENTS_RETRY_SECONDS", (0.05, 0.1))
        folder = tmp_path_factory.mktemp("runs")
        with closing(OperatorWorld(folder, kubeconfig, free_port())) as world, world.operator():
            yield world


@pytest.fixture(scope="module")
def usage(tmp_path_factory: pytest.TempPathFactory) -> UsageWorld:
    return UsageWorld(tmp_path_factory.mktemp("usage"), FREE)


@pytest.fixture(scope="module")
@needs("an API server")
def proxy(runs: OperatorWorld, usage: UsageWorld, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxyWorld]:
    kubeconfig = os.environ["DPPCTL_TEST_KUBECONFIG"]
    world = ProxyWorld(tmp_path_factory.mktemp("proxy"), kubeconfig, runs.namespace, runs.url)
    with usage.running():
        pass  # it has a port now
    usage.attach(world)
    with world.running():
        yield world


@pytest.fixture
def served(usage: UsageWorld, proxy: ProxyWorld) -> Iterator[UsageWorld]:
    usage.follow(proxy)
    usage.set_limits(FREE)
    with usage.running():
        yield usage
        usage.set_limits(FREE)


def ask(person: Person, runs: OperatorWorld, *pipelines: str, **more: object) -> Any:
    return person.ask("POST", "/v1/runs", json={"pipelines": pipelines or ["rows"], "workload": runs.workload, **more})


def test_a_run_has_a_place_until_its_end_and_all_of_it_is_logged(
    proxy: ProxyWorld, runs: OperatorWorld, served: UsageWorld
) -> None:
    ann = proxy.person("log-ann")
    created = ask(ann, runs, "second", timeoutSeconds=50_000).json()
    spec = runs.run(created["name"])["spec"]
    assert spec["timeoutSeconds"] == 3600  # what a run may take
    assert spec["reservation"] == created["reservation"]
    assert (spec["publishLimit"]["bytes"], spec["publishLimit"]["dayBytes"]) == (2**30, 2**30)
    assert served.service.reservations.count_open() == 1
    ann.events(created["name"])
    served.round()
    assert served.service.reservations.count_open() == 0
    used = served.usage(created["name"])
    assert (used.user, used.outcome, used.rows, used.is_closed) == ("token:log-ann", "Succeeded", 3, True)
    assert 0 < used.worker_seconds < 60
    assert used.bytes_in == runs.workload["bytes"]
    wanted = [
        ("POST /v1/runs", "asked"),
        ("POST /v1/runs", "201"),
        ("GET /v1/runs/{name}/events", "200"),
        *(("run", phase) for phase in ("Pending", "Assigned", "Running", "Succeeded")),
    ]
    eventually(lambda: len(served.events("token:log-ann")) >= len(wanted), "the log has it")
    found = served.events("token:log-ann")
    assert sorted(each[1::2] for each in found) == sorted(wanted)
    assert {each[2] for each in found} == {created["name"]}
    served.round()
    assert len(served.events("token:log-ann")) == len(wanted)


@pytest.mark.parametrize(("status", "left"), [(403, 0), (422, 0), (500, 1)])
def test_a_place_is_given_back_when_kubernetes_refuses_the_run_for_sure(
    proxy: ProxyWorld,
    runs: OperatorWorld,
    served: UsageWorld,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    left: int,
) -> None:
    async def refuse(*_: object) -> None:
        raise ApiError("no", status)

    monkeypatch.setattr(ClusterApi, "create_run", refuse)
    user = f"refused-{status}"
    assert ask(proxy.person(user), runs).status_code >= 400
    with served.service.database.read() as session:
        places = [place.id for place in unreleased(session) if place.user == f"token:{user}"]
    assert len(places) == left  # after 500 the run may be there; the next looks find out
    for place in places:
        served.service.reservations.release(place)


def test_a_limit_refuses_in_a_line_until_a_run_has_ended(
    proxy: ProxyWorld, runs: OperatorWorld, served: UsageWorld
) -> None:
    served.set_limits("default: {runs: 1, callsPerMinute: null}")
    ben = proxy.person("limit-ben")
    first = ask(ben, runs, "wait").json()
    status, problem = ben.refused(
        "POST", "/v1/runs", json={"pipelines": ["rows"], "workload": runs.workload, "timeoutSeconds": 5}
    )
    assert (status, problem["code"], problem["hint"]) == (429, "limit", "wait for runs to end")
    assert problem["error"].startswith("limit runs: you may have 1 runs at a time, and 1 are used")
    assert (problem["limit"], problem["used"], problem["allowed"]) == ("runs", 1, 1)
    assert datetime.fromisoformat(problem["resetsAt"]) > datetime.now(UTC)
    again = ask(ben, runs, "rows").status_code
    assert again == 429
    assert ben.ask("POST", f"/v1/runs/{first['name']}/stop").status_code == 202
    ben.events(first["name"])
    assert ask(ben, runs, "rows").status_code == 201, "its place is free at once"
    eventually(lambda: ("POST /v1/runs", "429") in [each[1::2] for each in served.events("token:limit-ben")], "logged")


def test_near_a_limit_there_is_one_notice_and_over_it_the_run_is_stopped(
    proxy: ProxyWorld, runs: OperatorWorld, served: UsageWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cluster.usage.decide.NOTICE_SHARE", 0.000001)
    carl = proxy.person("over-carl")
    name = ask(carl, runs, "wait").json()["name"]
    runs.until(name, "Running")
    eventually(lambda: served.round() or served.usage(name).noticed, "a notice is given")
    assert served.usage(name).noticed == "runSeconds"
    notes = runs.run(name)["metadata"]["annotations"]
    assert notes["dppctl.io/notice"].startswith("limit runSeconds is near: ")
    served.round()
    served.set_limits(f"{FREE}\nusers: {{'token:over-carl': {{runSeconds: 1}}}}")
    eventually(lambda: served.round() or runs.status(name)["phase"] == "Stopped", "it is stopped")
    events = [each for each in carl.events(name) if each and each["event"] == "run"]
    assert (events[-1]["phase"], events[-1]["reason"]) == ("Stopped", "UsageLimit")
    assert events[-1]["message"].startswith("limit runSeconds: you may have 1 seconds a run, and ")


def test_a_notice_is_in_the_stream_once_and_only_the_usage_server_gives_it(
    proxy: ProxyWorld, runs: OperatorWorld, served: UsageWorld
) -> None:
    dora = proxy.person("notice-dora")
    name = ask(dora, runs, "wait").json()["name"]
    runs.until(name, "Running")
    assert dora.refused("POST", f"/v1/runs/{name}/notice", json={"message": "x"})[0] == 403
    assert dora.refused("POST", f"/v1/runs/{name}/stop", json={"reason": "UsageLimit"})[0] == 403
    served.live(proxy).notify(name, "limit workerHours is near")
    service = Person(proxy.url, PROXY_SERVICE_TOKEN)
    assert service.refused("POST", f"/v1/runs/{name}/notice", json={"message": "a\nb"})[0] == 400
    served.live(proxy).stop(name, "limit workerHours: you may have 4")
    events = [each for each in dora.events(name) if each and each["event"] == "run"]
    assert {each["notice"] for each in events[-1:]} == {"limit workerHours is near"}
    assert events[-1]["message"] == "limit workerHours: you may have 4"


def test_while_usage_is_away_no_run_begins_all_else_goes_on_and_nothing_is_missing_in_the_log(
    proxy: ProxyWorld, runs: OperatorWorld, usage: UsageWorld
) -> None:
    emma = proxy.person("away-emma")
    with usage.running():
        name = ask(emma, runs, "wait").json()["name"]
    refused = ask(emma, runs, "rows")
    assert (refused.status_code, refused.json()["code"], refused.headers["Retry-After"]) == (503, "usage-away", "2")
    assert emma.get(f"/v1/runs/{name}")["phase"] in ("Pending", "Assigned", "Running")
    assert emma.ask("POST", f"/v1/runs/{name}/stop").status_code == 202
    emma.events(name)
    with usage.running():
        wanted = {("POST /v1/runs", "201"), ("POST /v1/runs", "503"), ("POST /v1/runs/{name}/stop", "202")}
        eventually(lambda: wanted <= {each[1::2] for each in usage.events("token:away-emma")}, "all is in the log")
        usage.round()
    assert usage.service.reservations.count_open() == 0


def test_a_place_is_taken_for_a_run_that_has_none_and_vanished_runs_are_closed(
    runs: OperatorWorld, served: UsageWorld
) -> None:
    name = runs.ask("wait", user="token:sweep")
    served.round()
    assert served.service.reservations.count_open() == 1
    runs.until(name, "Running")
    served.round()
    runs.api.delete(f"{runs.path()}/{name}")
    served.round()
    assert served.usage(name).ended is None
    served.round()
    used = served.usage(name)
    assert (used.outcome, used.is_closed) == ("Vanished", True)
    assert served.service.reservations.count_open() == 0


def test_calls_uploads_and_banned_people_are_refused_by_the_proxy(proxy: ProxyWorld, served: UsageWorld) -> None:
    served.set_limits(
        "users: {'token:busy-fred': {callsPerMinute: 3}, 'token:big-gina': {uploadBytes: 10}}\n"
        "bans: [{user: 'token:bad-hal', reason: mining}]"
    )
    fred = proxy.person("busy-fred")
    assert [fred.ask("GET", "/v1/runs").status_code for _ in range(4)] == [200, 200, 200, 429]
    assert 0 < int(fred.ask("GET", "/v1/runs").headers["Retry-After"]) <= 61
    assert [each[1::2] for each in served.events("token:busy-fred")].count(("GET /v1/runs", "429")) <= 2
    gina = proxy.person("big-gina")
    status, problem = gina.refused("PUT", f"/v1/workloads/{'0' * 64}", data=b"x" * 11)
    assert (status, problem["code"]) == (413, "limit")
    assert "limit uploadBytes: the workload has 11 bytes, and you may have 10" in problem["error"]
    hal = proxy.person("bad-hal")
    assert hal.refused("GET", "/v1/runs")[1]["error"] == "user token:bad-hal is banned: mining"
    wrong = Person(proxy.url, "dppctl_wrong")
    wrong.refused("GET", "/v1/runs")
    eventually(lambda: ("", "GET /v1/runs", "", "401") in served.events(), "wrong tokens are logged too")


@pytest.mark.usefixtures("served")
def test_people_see_their_own_usage_and_admins_everybodys(proxy: ProxyWorld) -> None:
    ann, root = proxy.person("log-ann"), proxy.person("root", ("read", "admin"))
    assert {run["user"] for run in ann.get("/v1/usage")["runs"]} <= {"token:log-ann"}
    assert ann.refused("GET", "/v1/usage?user=token:limit-ben")[0] == 403
    assert ann.refused("GET", "/v1/usage?all=1")[0] == 403
    assert len({run["user"] for run in root.get("/v1/usage?all=1")["runs"]}) > 1
    csv = ann.ask("GET", "/v1/usage?format=csv")
    assert csv.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert ann.refused("GET", "/v1/usage?since=never") == (
        400,
        {"error": "since: 'never' is no time; such as 7d, 12h, 2w or 2026-01-31", "code": "invalid", "hint": ""},
    )
