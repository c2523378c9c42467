"""The records of pods, and the processes that they name."""

import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cluster.errors import ClusterError
from cluster.local import processes
from cluster.local.sessions import record
from tests.support.waiting import eventually


@contextmanager
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """Asleep already, and to be ended by SIGINT, also where the tests run in the background of a shell."""
    code = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_DFL); print(flush=True); time.sleep(600)"
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        try:
            yield process
        finally:
            process.kill()


def test_a_new_pod_has_a_name_like_in_the_examples_and_is_assigned() -> None:
    pod = record.create("worker", pipeline="./dump-to-db")
    assert re.fullmatch(r"dppctl-worker-[a-z0-9]{12}", pod.name)
    assert pod.status == "assigned"
    assert [(known.name, known.pipeline) for known in record.all_sessions()] == [(pod.name, "./dump-to-db")]


def test_only_its_user_can_read_a_record() -> None:
    pod = record.create("db")
    pod.update(engine="postgresql://postgres:secret@127.0.0.1/postgres")
    assert stat.S_IMODE(pod.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((pod.folder / "pod.json").stat().st_mode) == 0o600


def test_the_pod_of_a_dead_command_goes_away_with_what_it_left(tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with sleeper() as owner, sleeper() as child:
        pod = record.create("db")
        identities = [processes.identity(process.pid) for process in (owner, child)]
        pod.update(owners=identities[:1], children=identities[1:], scratch=str(scratch))
        assert record.all_sessions()
        owner.kill()
        owner.wait()
        assert record.all_sessions() == []
        assert child.wait(60) == -signal.SIGINT
    assert not scratch.exists()
    assert not pod.folder.exists()


def test_a_process_that_got_the_number_of_a_dead_one_is_left_alone() -> None:
    with sleeper() as stranger:
        identity = processes.identity(stranger.pid)
        assert identity
        assert processes.alive(identity)
        of_last_week = f"{stranger.pid} 1"
        assert not processes.alive(of_last_week)
        processes.end(of_last_week)
        assert processes.alive(identity)


def test_a_process_that_ignores_the_signal_is_killed() -> None:
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", deaf], stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        processes.end(processes.identity(process.pid), within=0.2)
        assert process.wait(60) == -signal.SIGKILL


def test_a_dead_process_that_nobody_collected_is_not_alive() -> None:
    with sleeper() as process:
        identity = processes.identity(process.pid)
        process.kill()
        eventually(lambda: not processes.alive(identity), "the dead process is seen as dead")


def test_an_unknown_pod_is_refused_with_the_known_names() -> None:
    with pytest.raises(ClusterError, match="no pod 'x' here; no pod runs"):
        record.load("x")
    pod = record.create("worker")
    with pytest.raises(ClusterError, match=f"no pod '../x' here; known: {pod.name}"):
        record.load("../x")


def test_a_data_folder_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("DPPCTL_DATA_DIR", str(tmp_path / "file" / "x"))
    with pytest.raises(ClusterError, match=r"cannot write in .*/file/x/pods: Not a directory; DPPCTL_DATA_DIR"):
        record.create("worker")


def test_a_folder_without_a_record_is_left_for_a_minute_and_then_removed(data: Path) -> None:
    folder = data / "pods" / "dppctl-worker-halfmade"
    folder.mkdir(parents=True)
    assert record.all_sessions() == []
    assert folder.exists()
    os.utime(folder, (1, 1))
    assert record.all_sessions() == []
    assert not folder.exists()


def test_a_record_of_another_version_can_be_read() -> None:
    pod = record.create("worker")
    file = pod.folder / "pod.json"
    file.write_text(file.read_text().replace("{", '{"of_tomorrow": 1,', 1))
    assert [known.name for known in record.all_sessions()] == [pod.name]
