"""A run that is followed over the operator's HTTP, as the proxy does it."""

import json
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.stories.github import free_port
from tests.support.stories.named_run import NamedRun
from tests.support.stories.operator_world import TOKEN, OperatorWorld
from tests.support.waiting import eventually

pytestmark = pytest.mark.needs("an API server")


@pytest.fixture
def world(tmp_path: Path, kubeconfig: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[OperatorWorld]:
    monkeypatch.setattr("worker.server.Run", NamedRun)
    monkeypatch.setattr("cluster.operator.run_task.WORKER_RETRY_SECONDS", 0.1)
    monkeypatch.setattr("cluster.operator.streams.STREAM_SILENCE_SECONDS", 0.3)
    with closing(OperatorWorld(tmp_path, kubeconfig, free_port())) as made:
        yield made


def get(world: OperatorWorld, path: str, token: str = TOKEN) -> requests.Response:
    return requests.get(world.url + path, headers={"Authorization": f"Bearer {token}"}, stream=True, timeout=30)


class Follower:
    """Somebody who follows a run: `lines` so far, `answer` when it has begun; "" is a line without anything."""

    def __init__(self, world: OperatorWorld, uid: str, after: int = 0) -> None:
        self.lines: list[Any] = []
        self._get = lambda: get(world, f"/runs/{uid}/events?after={after}")
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        # The connection may end in the middle of an answer.
        with suppress(requests.exceptions.ChunkedEncodingError), self._get() as answer:
            assert answer.status_code == 200
            self.lines += (json.loads(line) if line else "" for line in answer.iter_lines(chunk_size=1))

    def all(self) -> list[Any]:
        self._thread.join(30)
        assert not self._thread.is_alive()
        return self.lines


def test_a_stream_has_each_change_and_each_event_and_ends_with_the_run(
    world: OperatorWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    with world.operator() as operator:
        name = world.ask("rows", "wait")
        uid = world.run(name)["metadata"]["uid"]
        follower = Follower(world, uid)
        world.until(name, "Running")
        eventually(lambda: "" in follower.lines, "a line without anything")
        eventually(lambda: operator.problem() is None, "it works")
        assert get(world, "/healthz", token="").json() == {"status": "ok"}
        world.stop(name)
        found = [line for line in follower.all() if line]
        phases = [line["phase"] for line in found if line["event"] == "run"]
        assert phases[0] in ("Pending", "Assigned")
        assert phases[-2:] == ["Running", "Stopped"]
        worker = {"name": world.status(name)["worker"]["name"]}
        assert found[-1] == {
            "event": "run", "phase": "Stopped", "reason": "UserStop", "message": "it was stopped by ann",
            "queuePosition": None, "worker": worker, "database": None, "rows": 3, "notice": None,
        }  # fmt: skip
        assert [line for line in found if line["event"] != "run"] == world.events_of(name)
        assert sum(line.get("event") == "log" for line in found) == 4
        # It ended long ago: all of it, or the rest.
        number = world.events_of(name)[2]["number"]
        again = Follower(world, uid, after=number).all()
        assert [line["number"] for line in again[:-1]] == [
            event["number"] for event in world.events_of(name) if event["number"] > number
        ]
        assert again[-1] == found[-1]
        metrics = get(world, "/metrics", token="").text
        assert 'dppctl_runs_total{outcome="Stopped"} 1.0' in metrics
        assert "dppctl_run_assign_seconds_count 1.0" in metrics
        # Refusals, and what is not there.
        assert get(world, f"/runs/{uid}/events", token="other").status_code == 401
        assert get(world, f"/runs/{uid}/events?after=x").json()["error"] == "after must be the number of an event"
        world.api.delete(f"{world.path()}/{name}")
        eventually(lambda: operator.run_state(uid) is None, "its removal is seen")
        assert get(world, f"/runs/{uid}/events").json()["code"] == "no-such-run"
        monkeypatch.setattr("cluster.operator.streams.RUN_SEEN_SECONDS", 0.1)
        assert get(world, "/runs/0-0/events").status_code == 404


def test_streams_end_with_the_operator_and_go_on_with_the_next(world: OperatorWorld) -> None:
    with world.operator():
        name = world.ask("log", "wait")
        uid = world.run(name)["metadata"]["uid"]
        follower = Follower(world, uid)
        eventually(lambda: len(follower.lines) > 200, "its log is there")
    assert "Stopped" not in [line.get("phase") for line in follower.all() if line]
    seen = [line["number"] for line in follower.lines if line and "number" in line]
    world.stop(name)
    with world.operator():
        rest = Follower(world, uid, after=seen[-1]).all()
    assert rest[-1]["phase"] == "Stopped"
    numbers = seen + [line["number"] for line in rest if line and "number" in line]
    assert numbers == [event["number"] for event in world.events_of(name)]
