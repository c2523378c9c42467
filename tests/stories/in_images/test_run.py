"""`dppctl run --image` as a user sees it."""

import json
import os
import re
import shutil
import signal
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.support.command import Dppctl
from tests.support.environment import processes_with
from tests.support.images import HELLO, Images
from tests.support.waiting import eventually
from tests.support.workloads import SLEEPER

Files = Callable[[Mapping[str, str]], Path]


def test_the_folder_runs_in_the_image_as_this_user(dppctl: Dppctl, images: Images, workload: Files) -> None:
    folder = workload(HELLO)
    name = "two\nlines"
    done = dppctl("run", "--image", images.dpp, "--env", f"NAME={name}", "--output", "json", cwd=folder)
    assert done.returncode == 0, done
    receipt = json.loads(done.stdout.splitlines()[-1])
    assert receipt["image"] == images.dpp
    [file] = (dppctl.data / "databases").glob("*.sqlite")
    with sqlite3.connect(file) as connection:
        assert connection.execute("select name, python from hello").fetchall() == [(name, "/usr/local")]
    assert {path.stat().st_uid for path in folder.rglob("*")} == {os.getuid()}
    assert (folder / "data" / "datapackage.json").exists()
    assert images.containers() == []


@pytest.mark.needs("PostgreSQL")
def test_a_postgresql_server_on_this_machine_is_within_reach(dppctl: Dppctl, images: Images, workload: Files) -> None:
    done = dppctl("run", "--image", images.dpp, "--db", "postgres", "--env", "NAME=Ada", cwd=workload(HELLO))
    assert done.returncode == 0, done
    assert "SUCCESS, processed 1 rows" in done.stdout


def test_a_kill_leaves_no_process_and_no_container(dppctl: Dppctl, images: Images, workload: Files) -> None:
    folder = workload({"pipeline-spec.yaml": SLEEPER})
    process = dppctl.start("run", "--image", images.dpp, "--env", "HUSH=secret", cwd=folder)
    eventually((folder / "running").exists, "the pipeline runs")
    started = [pid for pid in processes_with(str(folder)) if pid != process.pid]
    commands = b"".join((Path("/proc") / str(pid) / "cmdline").read_bytes() for pid in started)
    assert b"--rm" in commands
    assert b"secret" not in commands
    process.kill()
    process.communicate(timeout=60)
    eventually(lambda: not processes_with(str(folder)), "all its processes end")
    eventually(lambda: not images.containers(), "its container is removed")
    shutil.rmtree(folder)


def test_a_container_ends_when_its_podman_is_killed(dppctl: Dppctl, images: Images, workload: Files) -> None:
    folder = workload({"pipeline-spec.yaml": SLEEPER})
    process = dppctl.start("run", "--image", images.dpp, cwd=folder)
    eventually((folder / "running").exists, "the pipeline runs")
    [podman] = [pid for pid in processes_with(str(folder)) if _command(pid).startswith("podman")]
    os.kill(podman, signal.SIGKILL)
    process.communicate(timeout=60)
    assert images.containers() == []
    assert not processes_with(str(folder))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_soon(dppctl: Dppctl, images: Images, workload: Files, number: int) -> None:
    folder = workload({"pipeline-spec.yaml": SLEEPER})
    process = dppctl.start("run", "--image", images.dpp, cwd=folder)
    eventually((folder / "running").exists, "the pipeline runs")
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert images.containers() == []


def test_without_dpp_it_is_one_line(dppctl: Dppctl, images: Images, workload: Files) -> None:
    done = dppctl("run", "--image", images.python, cwd=workload(HELLO))
    assert done.returncode == 2
    assert re.fullmatch(r"dppctl: the image \S+: no dpp on its PATH; install datapackage-pipelines .*\n", done.stderr)


def test_without_podman_it_is_one_line(dppctl: Dppctl, workload: Files, path_without_podman: str) -> None:
    done = dppctl("run", "--image", "example.org/app", cwd=workload(HELLO), PATH=path_without_podman)
    assert done.returncode == 2
    said = "dppctl: --image example.org/app: running images on this machine needs podman: apt install podman"
    assert done.stderr.startswith(said)
    assert not list((dppctl.data / "pods").glob("*"))


def _command(pid: int) -> str:
    return (Path("/proc") / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode()
