"""Going back on one machine: the data and the files of then, nothing runs, and a kill at any step leaves one whole."""

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.model.next_runs import PipelineSchedule
from bot.model.values import Pipeline, Source, Values
from cluster.sync.local.environment import LocalEnvironment, Release
from cluster.sync.outcome import Outcome
from tests.support.forge import APP, APPENDING
from tests.support.stories.machine import PUBLISHING, Machine, waiting_for
from tests.support.sync_kills import after, die_in, killed
from tests.support.waiting import eventually

HOURLY = Pipeline(id="./one", schedule="0 * * * *")


def content(environment: LocalEnvironment) -> dict[str, str]:
    """Return a hash of each file that users see: the database, what is published, and the source."""
    current = environment.current()
    assert current
    files = [current.work_database, *current.storage.rglob("*"), *current.source.rglob("*")]
    return {
        str(file.relative_to(current.folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in files
        if file.is_file()
    }


def releases(machine: Machine) -> list[Path]:
    return sorted((machine.environment().folder / "releases").glob("*"))


MOMENTS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "before anything": lambda patch: patch.setattr(Release, "write", killed),
    "after it is marked": lambda patch: patch.setattr(Release, "write", after(Release.write)),
    "before the switch": lambda patch: patch.setattr(LocalEnvironment, "switch", killed),
    "after the switch": lambda patch: patch.setattr(LocalEnvironment, "switch", after(LocalEnvironment.switch)),
    "before it is recorded": lambda patch: patch.setattr(LocalEnvironment, "record", killed),
    "after it is recorded": lambda patch: patch.setattr(LocalEnvironment, "record", after(LocalEnvironment.record)),
}


@pytest.mark.slow
def test_a_release_is_gone_back_to_with_its_data_byte_for_byte_wherever_it_is_killed(
    machine: Machine, tmp_path: Path
) -> None:
    first = machine.say(APP | PUBLISHING, HOURLY)
    machine.start().sync()
    then, receipt, ops_commit = (
        content(machine.environment()),
        machine.events[-1].receipt,
        machine.events[-1].ops_commit,
    )
    machine.say(APPENDING)
    machine.start().sync()
    newer = content(machine.environment())
    assert newer != then
    assert machine.events[-1].kept == (machine.events[-1].ops_commit, ops_commit)
    assert machine.events[-1].schedules == ()  # nothing of it runs by the clock

    machine.go_back(first, ops_commit, HOURLY)
    told = len(machine.events)
    for moment, patch in MOMENTS.items():
        die_in(machine, patch)
        assert content(machine.environment()) in (newer, then), moment
        assert len(releases(machine)) == 2, moment
    for _ in range(2):
        sync = machine.start()
        sync.sync()
    assert content(machine.environment()) == then
    (end,) = machine.events[told:]
    assert (end.phase, end.receipt, end.commit) == ("succeeded", receipt, first)
    assert end.message.endswith("; back to what it was, nothing ran")
    assert end.schedules == (PipelineSchedule(pipeline="./one", schedule="0 * * * *"),)
    assert end.kept
    assert {ops_commit, end.ops_commit} < set(end.kept)

    machine.now = machine.now.replace(hour=1)  # its schedule is that of then, and runs for the newer deployment
    sync.sync()
    assert (machine.events[-1].phase, machine.events[-1].ops_commit) == ("scheduled", end.ops_commit)

    before = content(machine.environment())
    with machine.running():
        last = machine.say(waiting_for(tmp_path / "never"))
        machine.sync.wake()
        eventually(lambda: machine.events[-1].commit == last and machine.processes(), "it runs")
        machine.go_back(first, end.ops_commit, HOURLY)  # as `dppctl cancel` writes it
        machine.sync.wake()
        eventually(lambda: (machine.events[-1].commit, machine.events[-1].phase) == (first, "succeeded"), "it is back")
    assert content(machine.environment()) == before
    assert machine.phases()[-3:] == ["started", "superseded", "succeeded"]

    machine.go_back(last, "e" * 40)
    machine.start().sync()
    assert content(machine.environment()) == before
    assert machine.events[-1].phase == "failed"
    assert "`dppctl rollback` with --run runs it again" in machine.events[-1].message


def outcome(name: str, ended: float) -> Outcome:
    source = Source(repository="ann/app", path="", ref="refs/heads/master", commit=name * 40)
    return Outcome(
        ops_commit=name * 40,
        values=Values(image=None, source=source, pipelines=(HOURLY,)),
        phase="succeeded",
        message="",
        receipt=None,
        began=ended,
        ended=ended,
    )


def test_what_was_current_last_is_kept_and_of_each_deployment_the_newest(tmp_path: Path) -> None:
    environment = LocalEnvironment(tmp_path, keeps=2)
    made = {}

    def make(folder: str, found: Outcome | None) -> None:
        release = made[folder] = Release(tmp_path / "releases" / folder)
        release.work.mkdir(parents=True)
        if found:
            release.write(found)

    make("1", outcome("a", 1))
    make("2", outcome("b", 2))
    make("3", outcome("c", 3))
    environment.switch(made["3"])
    assert environment.kept_commits() == ("c" * 40, "b" * 40, "a" * 40)
    back = outcome("a", 1).model_copy(update={"since": time.time(), "restored_for": ("d" * 40,)})
    made["1"].write(back)
    environment.switch(made["1"])
    assert environment.kept_commits() == ("a" * 40, "d" * 40, "c" * 40, "b" * 40)
    make("4", None)  # one that is being made
    make("5", outcome("e", time.time()))
    environment.switch(made["5"])  # what is left of it, and the oldest, go
    assert environment.kept_commits() == ("e" * 40, "a" * 40, "d" * 40, "c" * 40)
    assert sorted(path.name for path in (tmp_path / "releases").iterdir()) == ["1", "3", "5"]
    make("6", outcome("e", time.time()))  # pipelines by schedule: the deployment's newest is enough
    environment.switch(made["6"])
    assert sorted(path.name for path in (tmp_path / "releases").iterdir()) == ["1", "3", "6"]
