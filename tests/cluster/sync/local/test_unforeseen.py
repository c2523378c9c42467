"""What nobody foresaw, and a full disk: the deployment says it, what cannot pass fails, and sync goes on."""

from datetime import timedelta

import pytest
from structlog.typing import EventDict

from bot.model.values import Pipeline
from cluster.sync.local.sources import Sources
from tests.support.forge import APP, APPENDING
from tests.support.small_disk import fill, small_disk
from tests.support.stories.machine import FAILING, Machine
from tests.support.waiting import eventually
from tests.support.world import PRODUCTION, STAGING

WAITS = "waits, and is tried again: "


def test_a_deployment_that_raises_what_nobody_foresaw_fails_with_the_reason(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise UnicodeEncodeError("utf-8", "caf\udce9", 3, 4, "surrogates not allowed")

    machine.say(APP)
    with monkeypatch.context() as patch:
        patch.setattr(Sources, "fill", broken)
        machine.sync.sync()
    assert machine.phases() == ["started", "failed"]
    assert machine.events[-1].message.startswith("dppctl itself failed: UnicodeEncodeError")
    assert machine.events[-1].message.endswith("staging has nothing yet that runs")
    machine.sync.sync()
    assert machine.phases() == ["started", "failed"]  # not again before something else is to run


def test_what_a_look_at_the_sources_raises_fails_the_deployment_too(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("nobody knows")

    machine.say(APP)
    with monkeypatch.context() as patch:
        patch.setattr(Sources, "refresh", broken)
        machine.sync.sync()
    assert machine.phases() == ["failed"]
    assert "KeyError('nobody knows')" in machine.events[-1].message


def test_a_worker_that_says_nonsense_fails_its_deployment_and_ends(machine: Machine) -> None:
    machine.say(APP)
    nonsense = "import sys\nfor _ in range(10**6):\n    print('nonsense')\n"
    (machine.folder / "worker.pyz").write_text(nonsense)
    machine.sync.sync()
    assert machine.phases() == ["started", "failed"]
    assert machine.events[-1].message.startswith("dppctl itself failed: JSONDecodeError")
    eventually(lambda: not machine.processes(), "its worker ends")


def test_a_scheduled_run_that_breaks_is_reported(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.say(APP, Pipeline(id="./one", schedule="0 * * * *"))
    machine.sync.sync()

    def broken(*_: object) -> None:
        raise RuntimeError("broken")

    machine.now += timedelta(hours=1)
    with monkeypatch.context() as patch:
        patch.setattr(Sources, "worker_host", broken)
        machine.sync.sync()
    assert machine.phases()[-1] == "scheduled"
    assert "failed by schedule: dppctl itself failed: RuntimeError('broken')" in machine.events[-1].message
    assert machine.numbers() == [0, 1, 2]


def test_a_full_disk_is_told_once_and_the_deployment_goes_on_when_there_is_room(machine: Machine) -> None:
    with small_disk(machine.folder / "environments", 8192) as disk:
        filler = fill(disk)
        machine.say(APPENDING)
        machine.start(retry_seconds=0.01)
        for _ in range(3):
            machine.sync.sync()
            eventually(lambda: not machine.sync._scheduler.waits(STAGING), "it may be tried again")
        assert machine.phases() == ["started", "queued"]
        reason = machine.events[-1].message
        assert reason.startswith(WAITS)
        assert reason.endswith("No space left on device; make room on that disk")
        filler.unlink()
        machine.sync.sync()
        assert machine.phases() == ["started", "queued", "started", "succeeded"]
        assert machine.numbers() == [0, 1, 2]


def test_an_end_that_cannot_be_written_down_is_reported_and_its_pipelines_do_not_run_again(machine: Machine) -> None:
    machine.say({**APP, **FAILING})
    part = machine.environment().folder / "last.part"
    part.parent.mkdir(parents=True)
    part.symlink_to("/dev/full")
    machine.start(retry_seconds=0.01)
    for _ in range(3):
        machine.sync.sync()
        eventually(lambda: not machine.sync._scheduler.waits(STAGING), "it may be tried again")
    assert set(machine.phases()) == {"started", "failed"}
    assert machine.phases().count("started") == 1
    assert "the reason" in machine.events[-1].message
    part.unlink()
    machine.sync.sync()
    machine.start().sync()
    assert machine.phases().count("started") == 1
    last = machine.environment().last()
    assert last
    assert (last.phase, last.reported) == ("failed", True)


def test_a_repository_that_is_away_is_said_once_on_the_deployment(machine: Machine, warned: list[EventDict]) -> None:
    machine.say_commit(machine.app.push(APP), deliveries=("d-1", "d-2"))
    moved = machine.app.bare.rename(machine.app.bare.with_suffix(".away"))
    machine.start(retry_seconds=0.01)
    for _ in range(3):
        machine.sync.sync()
        eventually(lambda: not machine.sync._scheduler.waits(STAGING), "it may be tried again")
    assert machine.phases() == ["queued"]
    assert machine.events[-1].message.startswith(f"{WAITS}git ls-remote: ")
    assert {(event["event"], event["delivery"], event["environment"]) for event in warned} == {
        ("not deployed yet", "d-1,d-2", "staging")
    }
    moved.rename(machine.app.bare)
    machine.sync.sync()
    assert machine.phases() == ["queued", "started", "succeeded"]


def test_an_environment_whose_files_cannot_be_read_holds_up_no_other(machine: Machine) -> None:
    broken = machine.environment(PRODUCTION).folder
    broken.mkdir(parents=True)
    (broken / "last.json").mkdir()  # reading it is an error of the disk
    machine.say(APP, targets=(STAGING, PRODUCTION))
    machine.sync.sync()
    assert machine.phases(STAGING) == ["started", "succeeded"]
    assert machine.phases(PRODUCTION) == []


def test_a_pass_that_breaks_is_followed_by_another(machine: Machine) -> None:
    machine.say(APP)
    patch = pytest.MonkeyPatch()
    broke: list[str] = []

    def broken(*_: object, **__: object) -> None:
        broke.append("once")
        patch.undo()
        raise RuntimeError("broken")

    patch.setattr("cluster.sync.local.sync.observe", broken)
    with machine.running() as sync:
        eventually(lambda: broke, "a pass breaks")
        sync.wake()
        eventually(lambda: machine.phases()[-1:] == ["succeeded"], "the next one deploys")
