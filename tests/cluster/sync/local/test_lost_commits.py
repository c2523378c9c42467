"""A commit that is on no branch any more, on a machine whose copies are lost."""

from tests.support.amending import amend, forget
from tests.support.forge import APP
from tests.support.stories.machine import Machine
from tests.support.waiting import eventually
from tests.support.world import STAGING


def test_it_is_deployed_as_long_as_the_server_has_it(machine: Machine) -> None:
    machine.app.push(APP)
    before, _ = amend(machine.app)
    machine.say_commit(before)
    with machine.running():
        eventually(lambda: machine.phases(STAGING) == ["started", "succeeded"], "it is deployed")
    assert machine.events[-1].commit == before


def test_when_it_is_gone_the_deployment_says_so(machine: Machine) -> None:
    machine.app.push(APP)
    before, _ = amend(machine.app)
    forget(machine.app)
    machine.say_commit(before)
    with machine.running():
        eventually(lambda: machine.phases(STAGING) == ["started", "failed"], "it fails")
    said = f"commit {before[:12]} is on no branch or tag of ann/app any more, and the server has not got it; push it"
    assert machine.events[-1].message.startswith(said)
