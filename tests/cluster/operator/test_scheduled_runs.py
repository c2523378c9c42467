"""Runs by the clock, which is given; and one from the files of the worker's own image, on a real API server."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cluster.operator.api import OperatorApi
from cluster.operator.model import Phase, RunSpec
from cluster.operator.scheduled_runs import StartRun, decide_schedules, last_time
from cluster.operator.state import DATABASE, OperatorState, Pool, RunState
from tests.support.asynchronous import run_async
from tests.support.stories.github import free_port
from tests.support.stories.named_run import NamedRun
from tests.support.stories.operator_world import OperatorWorld

HOURLY = [{"id": "./load", "schedule": "0 * * * *"}]


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def seen(now: str, pipelines: object = HOURLY, **more: object) -> OperatorState:
    schedules = json.dumps({"pipelines": pipelines, "pendingSeconds": 3600, **more})
    pool = Pool("app-1a2b3c", 1, 1, created=at("2026-01-01T00:30"), schedules=schedules)
    return OperatorState((), (), (pool,), at(now))


def made(start: StartRun, phase: Phase) -> RunState:
    return RunState(start.name, start.name, 0.0, RunSpec.model_validate(start.spec), phase=phase)


def test_a_pipeline_runs_at_its_time_once_from_the_files_of_the_image() -> None:
    assert decide_schedules(seen("2026-01-01T01:59:59")) == []
    (start,) = decide_schedules(seen("2026-01-01T02:00:01"))
    assert start.spec == {
        "pipelines": ["./load"],
        "pool": "app-1a2b3c",
        "user": "schedule:app-1a2b3c",
        "pendingSeconds": 3600,
    }
    assert decide_schedules(seen("2026-01-01T02:04:59")) == [start], "the same decision again is the same run"
    for phase in Phase:
        there = replace(seen("2026-01-01T02:00:30"), runs=(made(start, phase),))
        assert decide_schedules(there) == []
    (later,) = decide_schedules(replace(seen("2026-01-01T03:00:01"), runs=(made(start, Phase.SUCCEEDED),)))
    assert later.name != start.name


def test_what_is_long_ago_or_before_the_pool_is_not_made_up_for() -> None:
    assert decide_schedules(seen("2026-01-01T02:06")) == []
    half_past = [{"id": "./load", "schedule": "29 * * * *"}]
    assert decide_schedules(seen("2026-01-01T00:31", half_past)) == []


def test_no_run_begins_while_the_one_before_it_goes_on_and_another_pipeline_is_not_held_up() -> None:
    both = [*HOURLY, {"id": "./other", "schedule": "0 * * * *"}]
    first, other = decide_schedules(seen("2026-01-01T02:00:01", both))
    going = replace(seen("2026-01-01T03:00:01", both), runs=(made(first, Phase.RUNNING), made(other, Phase.FAILED)))
    (start,) = decide_schedules(going)
    assert start.spec["pipelines"] == ["./other"]


def test_the_time_zone_and_the_time_limit_are_the_charts() -> None:
    vienna = seen("2026-07-01T04:00:10", [{"id": "./load", "schedule": "0 6 * * *"}], timeZone="Europe/Vienna")
    assert len(decide_schedules(vienna)) == 1
    assert decide_schedules(replace(vienna, now=at("2026-07-01T06:00:10"))) == []
    (start,) = decide_schedules(seen("2026-01-01T02:00:01", timeoutSeconds=60))
    assert start.spec["timeoutSeconds"] == 60


@pytest.mark.parametrize("schedule", ["every day", "61 * * * *", "", "0 0 31 2 *"])
def test_what_is_no_schedule_holds_up_no_other(schedule: str) -> None:
    pipelines = [{"id": "./odd", "schedule": schedule}, *HOURLY]
    (start,) = decide_schedules(seen("2026-01-01T02:00:01", pipelines))
    assert start.spec["pipelines"] == ["./load"]
    assert last_time(schedule, None, 0.0) is None
    assert last_time("* * * * *", "No/Where", 1e9) is None


def test_an_annotation_that_is_none_is_left_alone_and_so_are_pools_of_databases() -> None:
    (pool,) = seen("2026-01-01T02:00:01").pools
    for odd in (replace(pool, schedules="{"), replace(pool, schedules="[]"), replace(pool, component=DATABASE)):
        assert decide_schedules(replace(seen("2026-01-01T02:00:01"), pools=(odd,))) == []


@pytest.fixture
def world(tmp_path: Path, kubeconfig: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[OperatorWorld]:
    monkeypatch.setattr("worker.server.Run", NamedRun)
    monkeypatch.setattr("cluster.operator.run_task.WORKER_RETRY_SECONDS", 0.1)
    (tmp_path / "image").mkdir()
    (tmp_path / "image" / "pipeline-spec.yaml").write_text("{}")
    monkeypatch.chdir(tmp_path / "image")
    with closing(OperatorWorld(tmp_path, kubeconfig, free_port())) as made:
        yield made


@pytest.mark.needs("an API server")
def test_a_worker_takes_the_files_of_its_image(world: OperatorWorld) -> None:
    api, spec = OperatorApi(world.api, world.namespace), {"pipelines": ["rows"], "user": "schedule:default"}
    for _ in range(2):
        run_async(api.create_run("pool-1-2", spec))
    with world.operator():
        worker = world.until("pool-1-2", "Succeeded")["worker"]["uid"]
    folder = world.workers[worker].folder
    assert [file.name for file in folder.iterdir()] == ["pipeline-spec.yaml"]
