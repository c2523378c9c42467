"""The operator on a real API server, with a real ReplicaSet controller and a thread in the place of a kubelet."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from kopf import LoginError

from bot.kubernetes import ApiError
from cluster.operator.api import OperatorApi
from cluster.operator.event_files import EventFiles
from cluster.operator.operator import Operator
from cluster.operator.workload_store import WorkloadStore
from tests.support.asynchronous import run_async
from tests.support.stories.github import free_port
from tests.support.stories.named_run import NamedRun
from tests.support.stories.operator_world import KEY, OperatorWorld
from tests.support.waiting import eventually

pytestmark = pytest.mark.needs("an API server")


@pytest.fixture
def world(tmp_path: Path, kubeconfig: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[OperatorWorld]:
    monkeypatch.setattr("worker.server.Run", NamedRun)
    monkeypatch.setattr("cluster.operator.run_task.WORKER_RETRY_SECONDS", 0.1)
    with closing(OperatorWorld(tmp_path, kubeconfig, free_port())) as made:
        yield made


def test_a_run_gets_a_worker_and_what_it_did_is_kept_when_the_worker_is_gone(world: OperatorWorld) -> None:
    with world.operator():
        name = world.ask("log", "rows")
        status = world.until(name, "Succeeded")
        assert status["rows"] == 3
        assert status["pipelines"] == [{"id": "./a", "rows": 3}]
        worker = status["worker"]["name"]
        events = world.events_of(name)
        assert [event["number"] for event in events] == list(range(1, len(events) + 1))
        assert events[0]["event"] == "queued"
        assert [event["event"] for event in events][-2:] == ["ended", "closed"]
        eventually(lambda: worker not in {pod["metadata"]["name"] for pod in world.pods()}, "its worker is gone")
        eventually(lambda: len(world.pods()) == 2, "another one waits")


def test_more_runs_than_workers_are_run_in_their_order_each_once(world: OperatorWorld) -> None:
    names = [world.ask("rows", name=f"run-{number:02}") for number in range(12)]
    uids = {world.run(name)["metadata"]["uid"]: name for name in names}
    with world.operator():
        for name in names:
            world.until(name, "Succeeded")
    assert sorted(uids[uid] for uid in world.handed) == names
    assert {len(times) for times in world.handed.values()} == {1}
    assert len({world.status(name)["worker"]["uid"] for name in names}) == 12


def test_who_waits_knows_its_place_and_can_be_stopped(world: OperatorWorld) -> None:
    with world.operator():
        running = [world.ask("wait") for _ in range(2)]
        for name in running:
            world.until(name, "Running")
        other = world.ask("rows", pool="large")
        assert world.until(other, "Pending")["reason"] == "PoolEmpty"
        assert world.status(other)["message"] == "there is no pool large"
        world.stop(other)
        assert world.until(other, "Stopped")["reason"] == "UserStop"
        world.stop(running[0])
        assert world.until(running[0], "Stopped")["message"] == "it was stopped by ann"
        late = world.ask("wait", timeoutSeconds=1)
        assert world.until(late, "Stopped")["reason"] == "TimeLimit"


def test_an_operator_goes_on_where_the_one_before_it_was_ended(world: OperatorWorld) -> None:
    with world.operator():
        name = world.ask("log", "wait")
        world.until(name, "Running")
        eventually(lambda: len(world.events_of(name)) > 200, "its log is there")
    before = world.events_of(name)
    world.stop(name)
    with world.operator():
        world.until(name, "Stopped")
    events = world.events_of(name)
    assert events[: len(before)] == before
    assert [event["number"] for event in events] == list(range(1, len(events) + 1))
    assert [len(times) for times in world.handed.values()] == [1]


def test_a_failed_run_says_why_and_one_without_its_worker_is_lost(world: OperatorWorld) -> None:
    with world.operator():
        failed = world.ask("fail")
        status = world.until(failed, "Failed")
        assert (status["reason"], status["message"]) == (
            "PipelineFailed", "./a failed: rows.py:2: ValueError: the reason"
        )  # fmt: skip
        lost = world.ask("wait")
        worker = world.until(lost, "Running")["worker"]["name"]
        world.remove_pod(worker)
        assert world.until(lost, "Lost")["message"] == "its worker is gone; run it again"
        late = world.ask("wait")
        worker = world.until(late, "Running")["worker"]["name"]
        over = {"reason": "DeadlineExceeded", "message": "Pod was active too long"}
        world.set_status(worker, {"phase": "Failed", **over})
        status = world.until(late, "Failed")
        assert status["reason"] == "TimeLimit"
        assert status["message"] == f"worker {worker}: DeadlineExceeded Pod was active too long"
        drained = world.ask("wait")
        own = world.until(drained, "Running")["worker"]
        world.workers[own["uid"]].stop_run()  # as the kubelet's SIGTERM does
        assert world.until(drained, "Lost")["message"] == f"worker {own['name']} was ended; run it again"
        killed = world.ask("wait")
        worker = world.until(killed, "Running")["worker"]["name"]
        ended = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
        container = {"name": "worker", "image": "", "imageID": "", "ready": False, "restartCount": 1}
        world.set_status(worker, {"containerStatuses": [{**container, "lastState": ended, "state": {}}]})
        status = world.until(killed, "Lost")
        assert status["reason"] == "OutOfMemory"
        assert status["message"] == f"worker {worker}: it needed more memory than its limit"


def test_a_workload_that_is_not_there_and_a_spec_that_is_none_are_refused(world: OperatorWorld) -> None:
    with pytest.raises(ApiError, match="pipelines"):
        world.ask()
    with world.operator():
        name = world.ask("rows", workload={"sha256": "1" * 64, "bytes": 1})
        status = world.until(name, "Failed")
    assert (status["reason"], status["message"]) == (
        "HandoverFailed",
        "its workload is not here any more; run it again",
    )


def test_an_operator_whose_watch_breaks_ends(world: OperatorWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.operator.watching._login", lambda **_: None)
    workloads, events = WorkloadStore(world.workloads), EventFiles(world.events)
    with pytest.raises(LoginError):
        run_async(Operator(OperatorApi(world.api, world.namespace), KEY, workloads, events).run())
