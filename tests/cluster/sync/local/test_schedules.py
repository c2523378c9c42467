"""Pipelines by the clock: when they are due, and what a run leaves."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.typing import EventDict

from bot.model.values import Pipeline
from cluster.sync.local.schedules import Schedules
from tests.support.forge import APP, APPENDING, FLOW
from tests.support.stories.machine import FAILING, PUBLISHING, Machine, waiting_for
from tests.support.waiting import eventually
from tests.support.world import STAGING

HOURLY = Pipeline(id="./one", schedule="0 * * * *")


class Clock:
    def __init__(self) -> None:
        self.time = datetime(2026, 1, 1, 10, 30, tzinfo=UTC)  # a Thursday

    def __call__(self) -> datetime:
        return self.time


def test_a_pipeline_is_due_once_for_all_the_times_that_passed() -> None:
    clock = Clock()
    schedules = Schedules(clock)
    schedules.set(STAGING, [HOURLY, Pipeline(id="./two")])
    assert (schedules.take(STAGING), schedules.seconds()) == ([], 1800)
    clock.time += timedelta(hours=3)
    assert schedules.take(STAGING) == [HOURLY]
    assert (schedules.take(STAGING), schedules.seconds()) == ([], 1800)


def test_setting_the_same_schedule_again_does_not_put_it_off() -> None:
    clock = Clock()
    schedules = Schedules(clock)
    schedules.set(STAGING, [HOURLY])
    clock.time += timedelta(minutes=45)
    schedules.set(STAGING, [HOURLY])
    assert schedules.take(STAGING) == [HOURLY]
    schedules.set(STAGING, [])
    clock.time += timedelta(hours=5)
    assert (schedules.take(STAGING), schedules.seconds()) == ([], None)


@pytest.mark.parametrize(("weekday", "day"), [("0", 4), ("7", 4), ("1", 5), ("sun", 4), ("5", 2)])
def test_weekdays_are_those_of_cron(weekday: str, day: int) -> None:
    clock = Clock()
    schedules = Schedules(clock)
    schedules.set(STAGING, [Pipeline(id="./one", schedule=f"0 0 * * {weekday}")])
    seconds = schedules.seconds()
    assert seconds
    assert clock.time + timedelta(seconds=seconds) == datetime(2026, 1, day, tzinfo=UTC)


def test_a_line_that_is_none_of_crons_is_said_and_never_due(warned: list[EventDict]) -> None:
    schedules = Schedules(Clock())
    schedules.set(STAGING, [Pipeline(id="./one", schedule="61 * * * *")])
    assert schedules.seconds() is None
    (event,) = warned
    assert event["schedule"] == "61 * * * *"
    assert str(event["error"]).startswith("Bad minute")


def test_a_due_pipeline_runs_on_what_is_deployed(machine: Machine) -> None:
    commit = machine.say({**APPENDING, **PUBLISHING}, HOURLY)
    machine.sync.sync()
    machine.sync.sync()
    assert machine.phases() == ["started", "succeeded"]
    machine.now += timedelta(hours=1)
    machine.sync.sync()
    machine.sync.sync()
    assert machine.phases() == ["started", "succeeded", "scheduled"]
    event = machine.events[-1]
    assert event.message.startswith("./one succeeded by schedule: 1 rows")
    assert (event.commit, event.ops_commit) == (commit, machine.events[0].ops_commit)
    assert event.receipt
    assert event.receipt.rows == 1
    assert machine.numbers() == [1, 1]
    assert (machine.environment().storage / "index.html").read_text() == "the site"


def test_a_run_by_schedule_that_fails_changes_nothing(machine: Machine, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    flow = FLOW.replace(
        "def flow(*_):", f"def flow(*_):\n        import os\n        assert not os.path.exists({str(trap)!r})"
    )
    machine.say({**APPENDING, "rows.py": flow}, HOURLY)
    machine.sync.sync()
    trap.touch()
    machine.now += timedelta(hours=1)
    machine.sync.sync()
    assert machine.phases() == ["started", "succeeded", "scheduled"]
    assert machine.events[-1].message.startswith("./one failed by schedule: ./one failed: ")
    assert machine.numbers() == [0, 1, 2]
    machine.start().sync()
    assert len(machine.phases()) == 3


def test_after_a_failed_deployment_the_schedules_of_what_still_runs_go_on(machine: Machine) -> None:
    machine.say(APPENDING, HOURLY)
    machine.sync.sync()
    machine.say(FAILING, Pipeline(id="./one", schedule="30 * * * *"))
    machine.sync.sync()
    machine.now += timedelta(minutes=45)
    machine.sync.sync()
    assert machine.phases()[-1] == "failed"
    machine.now += timedelta(minutes=30)
    machine.sync.sync()
    machine.start().sync()
    assert machine.phases()[-2:] == ["failed", "scheduled"]
    assert machine.numbers() == [0, 0, 1, 1, 2, 2]


def test_a_deployment_goes_before_a_run_by_schedule(machine: Machine, tmp_path: Path) -> None:
    first, gate = tmp_path / "first", tmp_path / "gate"
    first.touch()
    wait = FLOW.replace(
        "def flow(*_):",
        f"def flow(*_):\n        import os, time\n        while not (os.path.exists({str(first)!r}) or "
        f"os.path.exists({str(gate)!r})):\n            time.sleep(0.02)",
    )
    machine.say({**APP, "rows.py": wait}, HOURLY)
    machine.sync.sync()
    first.unlink()
    with machine.running() as sync:
        eventually(lambda: sync.schedules.seconds(), "the schedule is known")
        machine.now += timedelta(hours=1)
        sync.wake()
        eventually(lambda: len(machine.processes()) > 2, "it runs by schedule")
        machine.say(waiting_for(gate))
        sync.wake()
        eventually(lambda: machine.phases() == ["started", "succeeded", "started"], "the deployment runs instead")
        gate.touch()
        eventually(lambda: machine.phases()[-1] == "succeeded", "it ends")
    assert "scheduled" not in machine.phases()
