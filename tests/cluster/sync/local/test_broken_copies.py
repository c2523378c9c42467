"""A sync whose copy of an app's repository cannot be read makes it anew, and the deployment is none the worse."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.broken_copies import BROKEN
from tests.support.forge import APP
from tests.support.stories.machine import Machine
from tests.support.waiting import eventually
from tests.support.world import STAGING


@pytest.mark.parametrize(
    ("copy", "name"), [("ann/app", "truncated objects"), ("ann/app", "no HEAD"), ("ann/ops", "no objects")]
)
def test_a_deployment_goes_on_although_a_copy_is_broken(machine: Machine, copy: str, name: str) -> None:
    harm: Callable[[Path], object] = BROKEN[name]
    machine.say(APP)
    with machine.running():
        eventually(lambda: machine.phases(STAGING) == ["started", "succeeded"], "it is deployed")
    harm(machine.folder / "sync" / copy)
    machine.say({"more": ""})
    machine.start()
    with machine.running():
        eventually(lambda: machine.phases(STAGING) == ["started", "succeeded"] * 2, "so is the next push")
    assert machine.numbers() == [0, 1, 2]
