"""An app whose requirements are its own folder: each deployment runs what its commit holds."""

import threading
from pathlib import Path

import pytest

from cluster.local.workers.dpp_environment import DppEnvironment, ensure_dpp_environment
from tests.support.forge import APP
from tests.support.stories.machine import Machine

PROJECT = """
    [build-system]
    requires = ["flit_core"]
    build-backend = "flit_core.buildapi"
    [project]
    name = "lib"
    version = "1"
    description = "a library"
"""
FLOW = """
    from dataflows import Flow, update_resource
    from lib import VALUE

    def flow(*_):
        return Flow([{"number": VALUE}], update_resource(-1, name="numbers", path="n.csv", **{"dpp:streaming": True}))
"""


@pytest.mark.parametrize("line", [".", "-e ."])
def test_a_deployment_installs_the_app_and_not_what_lies_where_sync_was_started(
    machine: Machine, tmp_path: Path, line: str
) -> None:
    def runtime(workload: Path | None, stop: threading.Event) -> DppEnvironment:
        return ensure_dpp_environment(tmp_path / "cache", workload, print, stop)

    machine.start(runtime=runtime)
    for value in (11, 22):
        more = {"rows.py": FLOW, "requirements.txt": line, "pyproject.toml": PROJECT}
        machine.say({**APP, **more, "src/lib/__init__.py": f"VALUE = {value}\n"})
        machine.sync.sync()
        assert machine.events[-1].phase == "succeeded", machine.events[-1].message
        assert value in machine.numbers()


def test_requirements_that_lead_out_of_the_app_fail_the_deployment_with_their_line(
    machine: Machine, tmp_path: Path
) -> None:
    machine.start(runtime=lambda workload, stop: ensure_dpp_environment(tmp_path / "cache", workload, print, stop))
    machine.say({**APP, "requirements.txt": "-r /etc/passwd\n"})
    machine.sync.sync()
    assert machine.events[-1].phase == "failed"
    assert machine.events[-1].message.startswith("requirements.txt:1: /etc/passwd leads out of the workload's folder")
