"""An app whose requirements are its own folder: each deployment runs what its commit holds."""

import socket
import threading
import zipfile
from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from cluster.local.workers.dpp_environment import DppEnvironment, ensure_dpp_environment
from tests.support.dpp_cache import cache_with
from tests.support.forge import APP
from tests.support.stories.machine import Machine
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow

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


def environments_in(cache: Path) -> Callable[[Path | None, threading.Event], DppEnvironment]:
    """What sync is given to get an environment, with a cache of the test's own."""
    return lambda workload, stop: ensure_dpp_environment(cache, workload, print, stop)


@pytest.mark.parametrize("line", [".", "-e ."])
def test_a_deployment_installs_the_app_and_not_what_lies_where_sync_was_started(
    machine: Machine, runtime: DppEnvironment, tmp_path: Path, line: str
) -> None:
    machine.start(runtime=environments_in(cache_with(runtime, tmp_path / "cache")))
    for value in (11, 22):
        more = {"rows.py": FLOW, "requirements.txt": line, "pyproject.toml": PROJECT}
        machine.say({**APP, **more, "src/lib/__init__.py": f"VALUE = {value}\n"})
        machine.sync.sync()
        assert machine.events[-1].phase == "succeeded", machine.events[-1].message
        assert value in machine.numbers()


def test_requirements_that_lead_out_of_the_app_fail_the_deployment_with_their_line(
    machine: Machine, tmp_path: Path
) -> None:
    machine.start(runtime=environments_in(tmp_path / "cache"))
    machine.say({**APP, "requirements.txt": "-r /etc/passwd\n"})
    machine.sync.sync()
    assert machine.events[-1].phase == "failed"
    assert machine.events[-1].message.startswith("requirements.txt:1: /etc/passwd leads out of the workload's folder")


def test_requirements_that_are_away_are_waited_for(machine: Machine, runtime: DppEnvironment, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    wheel = write_wheel(tmp_path / "index")
    machine.start(runtime=environments_in(cache_with(runtime, tmp_path / "cache")), retry_seconds=0.01)
    machine.say({**APP, "rows.py": FLOW, "requirements.txt": f"lib @ http://127.0.0.1:{port}/{wheel.name}\n"})
    machine.sync.sync()
    assert machine.phases() == ["started", "queued"]
    assert f"http://127.0.0.1:{port}/{wheel.name}" in machine.events[-1].message
    handler = partial(SimpleHTTPRequestHandler, directory=str(wheel.parent))
    with ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        eventually(lambda: machine.sync.sync() or machine.phases()[-1] == "succeeded", "it is deployed")
        server.shutdown()
    assert machine.numbers() == [33]


def write_wheel(folder: Path) -> Path:
    """Write the smallest wheel of `lib`."""
    folder.mkdir()
    wheel = folder / "lib-1-py3-none-any.whl"
    information = {
        "METADATA": "Metadata-Version: 2.1\nName: lib\nVersion: 1\n",
        "WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "RECORD": "",
    }
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("lib.py", "VALUE = 33\n")
        for name, text in information.items():
            archive.writestr(f"lib-1.dist-info/{name}", text)
    return wheel
