"""Previews on one machine: what a branch had goes with it, and nothing else does."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from bot.model.decisions import Ref, Removal
from bot.model.registration import Target
from cluster.sync.local.decide import decide
from cluster.sync.local.state import Deploy, DesiredValues, EnvironmentState, MachineState, Remove, Supersede
from tests.support.forge import APP
from tests.support.stories.machine import Machine, waiting_for
from tests.support.waiting import eventually
from tests.support.world import APP as APP_PATH
from tests.support.world import OPS, PRODUCTION, STAGING

PATTERN = Target(APP_PATH, OPS, "preview-*")
PREVIEW = replace(PATTERN, environment="preview-new-chart")


@pytest.fixture
def previews(machine: Machine) -> Machine:
    start(machine)
    return machine


def start(machine: Machine) -> None:
    machine.start(targets=frozenset({STAGING, PRODUCTION, PATTERN}))


def remove(machine: Machine, *targets: Target) -> None:
    machine.writer.write([Removal(target, Ref("", ""), "branch new-chart is not there any more") for target in targets])


def folders(machine: Machine) -> list[str]:
    return sorted(folder.name for folder in (machine.folder / "environments" / "ann+app").glob("*"))


def test_a_preview_is_deployed_and_goes_with_its_values_file(previews: Machine) -> None:
    previews.say(APP, targets=(PREVIEW, STAGING))
    previews.sync.sync()
    assert previews.numbers(PREVIEW) == [0, 1, 2]
    assert previews.phases(PREVIEW) == ["started", "succeeded"]
    remove(previews, PREVIEW)
    previews.sync.sync()
    assert folders(previews) == ["staging"]
    previews.say(APP, targets=(PREVIEW,))
    previews.sync.sync()
    assert previews.numbers(PREVIEW) == [0, 1, 2]


def test_another_environment_whose_file_is_gone_stays(previews: Machine) -> None:
    previews.say(APP, targets=(STAGING,))
    previews.sync.sync()
    remove(previews, STAGING)
    previews.sync.sync()
    assert previews.numbers() == [0, 1, 2]


def test_what_went_while_sync_was_away_goes_at_its_start(previews: Machine) -> None:
    previews.say(APP, targets=(PREVIEW,))
    previews.sync.sync()
    remove(previews, PREVIEW)
    start(previews)
    previews.sync.sync()
    assert folders(previews) == []


def test_nothing_goes_as_long_as_the_ops_repo_cannot_be_read(previews: Machine) -> None:
    previews.say(APP, targets=(PREVIEW,))
    previews.sync.sync()
    away = previews.ops.bare.with_suffix(".away")
    previews.ops.bare.rename(away)
    shutil.rmtree(previews.folder / "sync")
    start(previews)
    previews.sync.sync()
    assert folders(previews) == ["preview-new-chart"]
    away.rename(previews.ops.bare)
    previews.sync.sync()
    assert previews.numbers(PREVIEW) == [0, 1, 2]


@pytest.mark.parametrize("step", ["rename", "rmtree"])
def test_a_removal_that_is_killed_is_done_at_the_next_start(
    previews: Machine, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    previews.say(APP, targets=(PREVIEW,))
    previews.sync.sync()
    remove(previews, PREVIEW)

    kills: list[Path] = []

    def killed(path: Path, *_: object, **__: object) -> None:
        if path.exists():
            kills.append(path)
            raise OSError("killed")

    with monkeypatch.context() as patched:
        owner = Path if step == "rename" else shutil
        patched.setattr(owner, step, killed)
        previews.sync.look()
        eventually(lambda: bool(kills), "it was killed")
    assert folders(previews) == ["preview-new-chart" if step == "rename" else "preview-new-chart.removed"]
    start(previews)
    with previews.running():
        eventually(lambda: folders(previews) == [], "it is removed")


def test_what_runs_there_is_stopped_first(previews: Machine, tmp_path: Path) -> None:
    go_on = tmp_path / "go-on"
    previews.say(APP | waiting_for(go_on), targets=(PREVIEW,))
    with previews.running():
        eventually(lambda: previews.phases(PREVIEW) == ["started"], "it runs")
        remove(previews, PREVIEW)
        previews.sync.wake()
        eventually(lambda: folders(previews) == [], "it is removed")
    assert previews.phases(PREVIEW) == ["started", "superseded"]


def test_what_is_gone_is_stopped_and_then_removed() -> None:
    gone = EnvironmentState(PREVIEW, None, is_settled=True, running=None, waits=False, last_start=0.0, is_gone=True)
    work = Deploy(PREVIEW, DesiredValues.__new__(DesiredValues))
    assert decide(MachineState((gone,), 1, 0.0)) == [Remove(PREVIEW)]
    assert decide(MachineState((replace(gone, running=work),), 1, 0.0)) == [Supersede(PREVIEW)]
    assert decide(MachineState((replace(gone, running=Remove(PREVIEW)),), 1, 0.0)) == []
