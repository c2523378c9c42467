"""Several environments at a time, and what is newer stops what is older."""

from pathlib import Path

import pytest

from tests.support.forge import APP, APPENDING
from tests.support.stories.machine import Machine, waiting_for
from tests.support.waiting import eventually
from tests.support.world import PRODUCTION, STAGING

BOTH = (STAGING, PRODUCTION)


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """A file that pipelines wait for."""
    return tmp_path / "gate"


def test_environments_are_deployed_side_by_side(machine: Machine, gate: Path) -> None:
    machine.say({**APP, **waiting_for(gate)}, targets=BOTH)
    with machine.running():
        eventually(lambda: machine.phases(STAGING) == machine.phases(PRODUCTION) == ["started"], "both run")
        gate.touch()
        for target in BOTH:
            eventually(lambda: machine.phases(target) == ["started", "succeeded"], "both end")  # noqa: B023
            assert machine.numbers(target) == [0, 1, 2]


def test_no_more_at_a_time_than_the_setting_says(machine: Machine, gate: Path) -> None:
    machine.start(concurrency=1)
    machine.say({**APP, **waiting_for(gate)}, targets=BOTH)
    with machine.running() as sync:
        eventually(lambda: machine.phases(PRODUCTION) == ["started"], "the first runs")
        sync.wake()
        gate.touch()
        eventually(lambda: machine.phases(STAGING) == ["started", "succeeded"], "the other one follows")
    order = [(event.environment, event.phase) for event in machine.events if event.phase != "progress"]
    assert order == [(name, phase) for name in ("production", "staging") for phase in ("started", "succeeded")]


def test_a_newer_commit_stops_an_older_one_that_runs(machine: Machine, gate: Path) -> None:
    machine.say({**APPENDING, **waiting_for(gate)})
    with machine.running() as sync:
        eventually(lambda: len(machine.processes()) > 2, "dpp runs the pipeline")
        newer = machine.say(APPENDING)
        sync.wake()
        eventually(lambda: machine.phases() == ["started", "superseded", "started", "succeeded"], "the newer one ran")
    assert machine.events[-1].commit == newer
    assert machine.numbers() == [0, 1, 2]
    older = next(event for event in machine.events if event.phase == "superseded")
    assert older.ops_commit == machine.events[0].ops_commit != machine.events[-1].ops_commit


def test_a_newer_commit_for_one_environment_leaves_the_others_alone(machine: Machine, gate: Path) -> None:
    machine.say({**APP, **waiting_for(gate)}, targets=BOTH)
    with machine.running() as sync:
        eventually(lambda: machine.phases(STAGING) == machine.phases(PRODUCTION) == ["started"], "both run")
        machine.say(APP, targets=(STAGING,))
        sync.wake()
        eventually(lambda: machine.phases(STAGING)[-1] == "succeeded", "staging has the newer one")
        gate.touch()
        eventually(lambda: machine.phases(PRODUCTION) == ["started", "succeeded"], "production goes on")


def test_a_stop_ends_the_pipelines_and_the_next_start_runs_them_again(machine: Machine, gate: Path) -> None:
    machine.say({**APP, **waiting_for(gate)}, targets=BOTH)
    with machine.running():
        eventually(lambda: machine.phases(STAGING) == machine.phases(PRODUCTION) == ["started"], "both run")
    gate.touch()
    machine.start().sync()
    for target in BOTH:
        assert machine.phases(target) == ["started", "started", "succeeded"]
        assert machine.numbers(target) == [0, 1, 2]
