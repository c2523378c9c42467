"""Several environments at a time, and what is newer stops what is older."""

from pathlib import Path

import pytest

from tests.support.environment import processes_with
from tests.support.forge import APP, APPENDING
from tests.support.stories.machine import Machine, waiting_for
from tests.support.waiting import eventually
from tests.support.world import PRODUCTION, STAGING

BOTH = (STAGING, PRODUCTION)


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """A file that pipelines wait for."""
    return tmp_path / "gate"


def test_a_long_deployment_holds_up_no_other_and_a_newer_commit_stops_only_the_older_one(
    machine: Machine, gate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cluster.sync.local.sync.LONG_DEPLOYMENT_SECONDS", 0.2)
    machine.start(concurrency=1)
    machine.say({**APPENDING, **waiting_for(gate)}, targets=BOTH)
    with machine.running() as sync:

        def both_run() -> bool:
            sync.wake()  # else it looks in 15 seconds
            return machine.phases(STAGING) == machine.phases(PRODUCTION) == ["started"]

        eventually(both_run, "both run")
        for target in BOTH:
            folder = str(machine.environment(target).folder)
            eventually(lambda: len(processes_with(folder)) > 2, "dpp runs the pipeline")  # noqa: B023
        newer = machine.say(APPENDING, targets=(STAGING,))
        sync.wake()
        ran = ["started", "superseded", "started", "succeeded"]
        eventually(lambda: machine.phases(STAGING) == ran, "staging has the newer one")
        assert machine.phases(PRODUCTION) == ["started"]
        gate.touch()
        eventually(lambda: machine.phases(PRODUCTION) == ["started", "succeeded"], "production goes on")
    for target in BOTH:
        assert machine.numbers(target) == [0, 1, 2]
    staging = [event for event in machine.events if event.environment == "staging"]
    assert staging[-1].commit == newer
    older = next(event for event in staging if event.phase == "superseded")
    assert older.ops_commit == staging[0].ops_commit != staging[-1].ops_commit


def test_a_stop_ends_the_pipelines_and_the_next_start_runs_them_again_as_many_at_a_time_as_the_setting_says(
    machine: Machine, gate: Path
) -> None:
    machine.say({**APP, **waiting_for(gate)}, targets=BOTH)
    with machine.running():
        eventually(lambda: machine.phases(STAGING) == machine.phases(PRODUCTION) == ["started"], "both run")
    stopped = len(machine.events)
    machine.start(concurrency=1)
    with machine.running() as sync:
        eventually(lambda: machine.phases(PRODUCTION) == ["started", "started"], "the first runs again")
        sync.wake()
        gate.touch()
        for target in (PRODUCTION, STAGING):  # each is waited for, as each takes its time
            ran = ["started", "started", "succeeded"]
            eventually(lambda: machine.phases(target) == ran, f"{target.environment} follows")  # noqa: B023
    order = [(event.environment, event.phase) for event in machine.events[stopped:] if event.phase != "progress"]
    assert order == [(name, phase) for name in ("production", "staging") for phase in ("started", "succeeded")]
    for target in BOTH:
        assert machine.numbers(target) == [0, 1, 2]
