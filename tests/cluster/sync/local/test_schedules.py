"""Pipelines by the clock: when they are due, and what a run leaves."""

import time
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from structlog.typing import EventDict

from bot.model.values import Pipeline
from cluster.local.workers.dpp_environment import DppEnvironment
from cluster.sync.local.schedules import Schedules
from tests.support.forge import APPENDING
from tests.support.stories.machine import FAILING, PUBLISHING, Machine, Snapshot, waiting_for
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


def test_a_change_of_clocks_leaves_out_nothing_and_doubles_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither that of the machine's zone, for schedules are in UTC, nor when somebody sets the machine's time back."""
    monkeypatch.setenv("TZ", "Asia/Jerusalem")
    time.tzset()
    try:
        clock = Clock()
        clock.time = datetime(2026, 3, 26, 12, tzinfo=UTC)  # the night after, 02:00 is followed by 03:00
        schedules = Schedules(clock)
        schedules.set(STAGING, [Pipeline(id="./one", schedule="30 0 * * *")])
        runs = []
        for _ in range(3 * 24 * 4):
            clock.time += timedelta(minutes=15)
            runs += [clock.time for _ in schedules.take(STAGING)]
        assert runs == [datetime(2026, 3, day, 0, 30, tzinfo=UTC) for day in (27, 28, 29)]
        clock.time = runs[-1] - timedelta(hours=1)
        assert schedules.take(STAGING) == []
    finally:
        monkeypatch.undo()
        time.tzset()


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


@dataclass(frozen=True)
class Story:
    """What the tests below look at; a fixture tells it once."""

    commit: str  # of the app, that is deployed until the last step
    deployed: Snapshot
    due: Snapshot
    run_failed: Snapshot
    started_again: Snapshot
    deployment_failed: Snapshot
    went_on: Snapshot
    instead: Snapshot


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory, runtime: DppEnvironment) -> Story:
    """Tell it, with seven runs of a pipeline that appends a row: of deployments and by schedule."""
    with closing(Machine(tmp_path_factory.mktemp("story"), runtime)) as machine:
        return tell(machine)


def tell(machine: Machine) -> Story:
    """Deploy, let time pass, fail and start again; return what was there after each step."""
    trap, hold, gate = (machine.folder / name for name in ("trap", "hold", "gate"))
    check = f"""
            import time
            assert not pathlib.Path({str(trap)!r}).exists()
            while pathlib.Path({str(hold)!r}).exists():
                time.sleep(0.02)"""
    rows = PUBLISHING["rows.py"].replace("def flow(*_):", f"def flow(*_):{check}")
    commit = machine.say({**APPENDING, "rows.py": rows}, HOURLY)
    machine.sync.sync()
    machine.sync.sync()
    deployed = machine.snapshot()

    machine.now += timedelta(hours=1)
    machine.sync.sync()
    machine.sync.sync()
    due = machine.snapshot()

    trap.touch()
    machine.now += timedelta(hours=1)
    machine.sync.sync()
    run_failed = machine.snapshot()
    trap.unlink()
    machine.start().sync()
    started_again = machine.snapshot()

    machine.say(FAILING, Pipeline(id="./one", schedule="30 * * * *"))
    machine.sync.sync()
    machine.now += timedelta(minutes=45)
    machine.sync.sync()
    deployment_failed = machine.snapshot()
    machine.now += timedelta(minutes=30)
    machine.sync.sync()
    machine.start().sync()
    went_on = machine.snapshot()

    hold.touch()
    before = len(went_on.phases)
    with machine.running() as sync:
        eventually(lambda: sync.schedules.seconds(), "the schedule is known")
        machine.now += timedelta(hours=1)
        sync.wake()
        eventually(lambda: len(machine.processes()) > 2, "it runs by schedule")
        machine.say(waiting_for(gate))
        sync.wake()
        eventually(lambda: machine.phases()[before:] == ["started"], "the deployment runs instead")
        gate.touch()
        eventually(lambda: machine.phases()[before + 1 :], "it ends")
    return Story(commit, deployed, due, run_failed, started_again, deployment_failed, went_on, machine.snapshot())


def test_a_due_pipeline_runs_on_what_is_deployed(story: Story) -> None:
    assert story.deployed.phases == ["started", "succeeded"]
    assert story.due.phases == ["started", "succeeded", "scheduled"]
    event = story.due.end
    assert event.message.startswith("./one succeeded by schedule: 1 rows")
    assert (event.commit, event.ops_commit) == (story.commit, story.deployed.events[0].ops_commit)
    assert event.receipt
    assert event.receipt.rows == 1
    assert (story.due.numbers, story.due.site) == ([1, 1], "the site")


def test_a_run_by_schedule_that_fails_changes_nothing(story: Story) -> None:
    assert story.run_failed.phases == [*story.due.phases, "scheduled"]
    assert story.run_failed.end.message.startswith("./one failed by schedule: ./one failed: ")
    assert (story.run_failed.numbers, story.run_failed.site) == ([1, 1], "the site")
    assert story.started_again.phases == story.run_failed.phases


def test_after_a_failed_deployment_the_schedules_of_what_still_runs_go_on(story: Story) -> None:
    assert story.deployment_failed.phases[-2:] == ["started", "failed"]
    assert story.went_on.phases == [*story.deployment_failed.phases, "scheduled"]
    assert story.went_on.end.message.startswith("./one succeeded by schedule")
    assert story.went_on.numbers == [1, 1, 1]


def test_a_deployment_goes_before_a_run_by_schedule(story: Story) -> None:
    assert story.instead.phases == [*story.went_on.phases, "started", "succeeded"]
    assert story.instead.numbers == [0, 1, 1, 1, 1, 2]
