"""Workers that wait for the next deployment: which run takes one, and which are ended."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.limits import WAITING_WORKERS
from cluster.local.workers.dpp_environment import DppEnvironment
from cluster.local.workers.waiting import WaitingWorkers
from tests.support.environment import processes_with
from tests.support.waiting import eventually

IDLE = """\
import sys
sys.stdin.readline()
"""


@pytest.fixture
def zipapp(tmp_path: Path) -> Path:
    """A program that waits for a line, as a worker does; tests/worker/runner/test_ready.py has real ones."""
    file = tmp_path / "worker.pyz"
    file.write_text(IDLE)
    return file


@pytest.fixture
def waiting(zipapp: Path) -> Iterator[WaitingWorkers]:
    workers = WaitingWorkers(zipapp)
    workers.open()
    yield workers
    workers.close()
    assert processes_with(str(zipapp)) == []


def environment(folder: Path) -> DppEnvironment:
    """Make what looks like one of dpp's environments."""
    (folder / "lib/python3.11/site-packages").mkdir(parents=True)
    (folder / "bin").mkdir()
    (folder / "bin/python").symlink_to(os.path.realpath("/proc/self/exe"))
    return DppEnvironment(folder)


def running(zipapp: Path, number: int) -> list[int]:
    """The workers, as many as that; the system shows a command line only some time after its start."""
    eventually(lambda: len(processes_with(str(zipapp))) == number, f"{number} workers run")
    return processes_with(str(zipapp))


def test_a_run_takes_the_one_of_its_environment_and_each_only_once(
    waiting: WaitingWorkers, zipapp: Path, tmp_path: Path
) -> None:
    host, other = environment(tmp_path / "a"), environment(tmp_path / "b")
    waiting.prepare(host)
    (waits,) = running(zipapp, 1)
    taken = [waiting.take(found) for found in (other, host, host)]
    assert [worker.pid == waits for worker in taken] == [False, True, False]
    for worker in taken:
        worker.end()


def test_a_dead_one_and_one_whose_environment_changed_are_replaced(
    waiting: WaitingWorkers, zipapp: Path, tmp_path: Path
) -> None:
    host = environment(tmp_path / "a")
    for change in ("killed", "a package more", "gone"):
        waiting.prepare(host)
        (waits,) = running(zipapp, 1)
        if change == "killed":
            os.kill(waits, signal.SIGKILL)
            eventually(lambda: not processes_with(str(zipapp)), "it has ended")
        elif change == "a package more":
            (host.folder / "lib/python3.11/site-packages/more").mkdir()
        else:
            (host.folder / "lib/python3.11/site-packages").rename(host.folder / "elsewhere")
        worker = waiting.take(host)
        assert worker.pid != waits, change
        assert running(zipapp, 1) == [worker.pid]
        worker.end()


def test_few_wait_and_none_for_long(waiting: WaitingWorkers, zipapp: Path, tmp_path: Path) -> None:
    hosts = [environment(tmp_path / str(number)) for number in range(WAITING_WORKERS + 1)]
    for host in [*hosts, hosts[-1]]:
        waiting.prepare(host)
    assert running(zipapp, WAITING_WORKERS)
    waiting.end_unused()
    assert running(zipapp, WAITING_WORKERS)
    impatient = WaitingWorkers(zipapp, seconds=-1)
    impatient.prepare(hosts[0])
    assert running(zipapp, WAITING_WORKERS), "not before it is open"
    waiting.close()
    impatient.open()
    impatient.prepare(hosts[0])
    impatient.end_unused()
    assert processes_with(str(zipapp)) == []


def test_one_is_expected_where_the_last_was_taken(waiting: WaitingWorkers, zipapp: Path, tmp_path: Path) -> None:
    waiting.expect("app")
    assert processes_with(str(zipapp)) == []
    waiting.take(environment(tmp_path / "a"), "app").end()
    waiting.expect("app")
    assert running(zipapp, 1)
