"""The warm process before it has a workload: what a run finds in it, and what becomes of it when somebody is killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from cluster.local.workers.dpp_environment import DppEnvironment
from cluster.local.workers.process import WorkerProcess
from tests.support.environment import REPOSITORY, processes_with
from tests.support.waiting import eventually
from tests.support.workloads import write_files

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it is only on Linux")

LANES = "{run: add_metadata, parameters: {title: b}}"
# What a step of the workload's sees, in its pipeline's stats.
LOOK = """
    look:
      pipeline:
      - run: look
        code: |
            import json, os, sys
            from datapackage_pipelines.wrapper import ingest, spew
            parameters, datapackage, resources = ingest()
            spew(datapackage, resources, {
                "secret": os.environ.get("SECRET"), "hash": sys.flags.hash_randomization, "folder": os.getcwd(),
                "modules": sorted({"left", "look"} & set(sys.modules)), "zone": os.environ.get("TZ"),
                "tabulate": getattr(__import__("tabulate"), "WHOSE", "a package")})
"""


@pytest.fixture
def waiting(zipapp: Path, runtime: DppEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Start workers that wait; they have ended, with all that they started, at the end."""
    started: list[WorkerProcess] = []
    monkeypatch.setenv("TEST_MARK", str(tmp_path))

    def start(runner: str = "") -> WorkerProcess:
        started.append(WorkerProcess(zipapp, runtime, runner))
        return started[-1]

    yield start
    for worker in started:
        worker.end()
    assert processes_with(f"TEST_MARK={tmp_path}") == []


def warm_process(mark: Path) -> int:
    """The one that waits for a workload, once it does."""
    found: list[int] = []

    def waits() -> bool:
        found[:] = [pid for pid in processes_with(f"TEST_MARK={mark}") if b"DPPCTL_SERVE_ON" in _environment(pid)]
        return len(found) == 1

    eventually(waits, "a warm process waits")
    return found[0]


def _environment(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""


def receipt(worker: WorkerProcess, workload: Path, environment: Mapping[str, str] = {}) -> dict[str, dict[str, Any]]:
    """Run all pipelines there; the results by pipeline."""
    worker.begin(workload, [], environment=environment, origin={})
    events = list(worker.events())
    assert events[-1]["event"] == "ended", events
    return {result["id"]: result for result in events[-1]["receipt"]["pipelines"]}


def test_one_that_is_killed_while_it_waits_costs_no_run(waiting: Any, tmp_path: Path) -> None:
    worker = waiting()
    os.kill(warm_process(tmp_path), signal.SIGKILL)
    result = receipt(worker, write_files(tmp_path / "app", {"pipeline-spec.yaml": f"a: {{pipeline: [{LANES}]}}"}))
    assert (result["./a"]["status"], result["./a"]["runner"]) == ("succeeded", "lanes")


def test_a_run_finds_its_own_workload_and_variables_and_the_next_one_nothing_of_them(
    waiting: Any, tmp_path: Path
) -> None:
    first, second = waiting(), waiting()
    workload = write_files(tmp_path / "first", {"pipeline-spec.yaml": LOOK, "left.py": ""})
    seen = receipt(first, workload, {"SECRET": "hush"})["./look"]
    assert seen["runner"] == "processes: step 1 has a process of its own"
    assert seen["stats"] == {
        "secret": "hush", "hash": 1, "folder": str(workload), "modules": [], "zone": None, "tabulate": "a package"
    }  # fmt: skip
    held = [_environment(pid) for pid in processes_with(f"TEST_MARK={tmp_path}")]
    assert held
    assert not any(b"hush" in environment for environment in held)
    other = write_files(tmp_path / "second", {"pipeline-spec.yaml": LOOK})
    assert receipt(second, other)["./look"]["stats"] == {**seen["stats"], "secret": None, "folder": str(other)}


def test_what_an_interpreter_reads_at_its_start_has_a_new_one(waiting: Any, tmp_path: Path) -> None:
    worker = waiting()
    pid = warm_process(tmp_path)
    workload = write_files(tmp_path / "app", {"pipeline-spec.yaml": LOOK, "tabulate.py": "WHOSE = 'the workload'"})
    eventually(
        lambda: "sqlalchemy" in Path(f"/proc/{pid}/maps").read_text(), "it has loaded what writes into databases"
    )
    stats = receipt(worker, workload, {"TZ": "Asia/Jerusalem", "PYTHONHASHSEED": "0"})["./look"]["stats"]
    assert (stats["zone"], stats["hash"], stats["tabulate"]) == ("Asia/Jerusalem", 0, "a package"), (
        "an installed module comes first"
    )
    assert not Path(f"/proc/{pid}").exists()


def test_with_the_runner_dpp_none_waits(waiting: Any, tmp_path: Path) -> None:
    worker = waiting("dpp")
    workload = write_files(tmp_path / "app", {"pipeline-spec.yaml": LOOK})
    worker.begin(workload, [], environment={}, origin={})
    for event in worker.events():
        assert not any(b"DPPCTL_SERVE_ON" in _environment(pid) for pid in processes_with(f"TEST_MARK={tmp_path}"))
        last = event
    assert last["receipt"]["pipelines"][0]["runner"].startswith("dpp: ")


@pytest.mark.parametrize("victim", ["owner", "worker"])
def test_when_its_owner_is_killed_it_ends(victim: str, zipapp: Path, runtime: DppEnvironment, tmp_path: Path) -> None:
    script = """
import sys, time
from pathlib import Path
from cluster.local.workers.dpp_environment import DppEnvironment
from cluster.local.workers.process import WorkerProcess
print(WorkerProcess(Path(sys.argv[1]), DppEnvironment(Path(sys.argv[2]))).pid, flush=True)
sys.stdin.read()
"""
    owner = subprocess.Popen(
        [sys.executable, "-c", script, str(zipapp), str(runtime.folder)],
        cwd=REPOSITORY,
        env={**os.environ, "TEST_MARK": str(tmp_path), "TMPDIR": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert owner.stdout is not None
    worker = int(owner.stdout.readline())
    try:
        warm_process(tmp_path)
        os.kill(owner.pid if victim == "owner" else worker, signal.SIGKILL)
        left = [] if victim == "owner" else [owner.pid]
        eventually(lambda: processes_with(f"TEST_MARK={tmp_path}") == left, "all have ended")
        if victim == "owner":
            eventually(lambda: not list(tmp_path.iterdir()), "its files are gone")
    finally:
        owner.kill()
        owner.communicate()
