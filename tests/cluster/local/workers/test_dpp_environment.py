"""dpp's environments: made once, whatever happens meanwhile."""

import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bot.process import StoppedError
from cluster.errors import ClusterError
from cluster.local.workers import dpp_environment
from cluster.local.workers.dpp_environment import DppEnvironment, ensure_dpp_environment, find_runtime
from tests.support.dpp_cache import cache_with
from tests.support.environment import REPOSITORY, processes_with
from tests.support.waiting import BUSY, eventually

MAKE = (
    "import sys; from pathlib import Path; from cluster.local.workers.dpp_environment import ensure_dpp_environment; "
)
MAKE += "print(ensure_dpp_environment(Path(sys.argv[1]), None, lambda line: print(line, flush=True)).folder)"


def start(cache: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", MAKE, str(cache)]
    return subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, start_new_session=True)


@pytest.mark.needs("dpp")
def test_it_is_made_once_by_two_at_once_though_one_was_killed_half_made_and_again_when_the_cache_is_gone(
    tmp_path: Path,
) -> None:
    """In one story, for each environment that is made whole takes 16 s of a processor."""
    process = start(tmp_path)
    eventually(lambda: list(tmp_path.glob("runtimes/*/bin/python")), "the environment is half made")
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    assert find_runtime(tmp_path) is None
    both = [start(tmp_path), start(tmp_path)]
    told = [process.communicate(timeout=300)[0].splitlines() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert told[0][-1] == told[1][-1], "both got the same"
    assert sum(any(line.startswith("  Installed") for line in lines) for lines in told) == 1
    assert sum(any(line.startswith("Set up in") for line in lines) for lines in told) == 1
    found = find_runtime(tmp_path)
    assert found
    folders = [path for path in (tmp_path / "runtimes").iterdir() if path.is_dir() and not path.is_symlink()]
    assert folders == [found.folder], "the half made one is gone"
    subprocess.run([found.bin / "dpp", "version"], check=True)
    assert list(found.folder.glob("lib/*/site-packages/datapackage_pipelines/__pycache__/*.pyc")), "it is compiled"
    said: list[str] = []
    assert ensure_dpp_environment(tmp_path, None, said.append) == found
    assert said == []
    shutil.rmtree(tmp_path / "runtimes")
    assert find_runtime(tmp_path) is None
    stop = threading.Event()

    def end(line: str) -> None:
        said.append(line)
        stop.set()

    with pytest.raises(StoppedError):
        ensure_dpp_environment(tmp_path, None, end, stop)
    assert said == ["Setting up dpp's environment (once)"]
    assert remains(tmp_path) == []


@pytest.mark.needs("dpp")
def test_a_requirement_that_does_not_exist_is_one_line(tmp_path: Path, runtime: DppEnvironment) -> None:
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("dppctl-has-no-such-package==1.2.3\n")
    cache = cache_with(runtime, tmp_path / "cache")
    before = remains(cache)
    with pytest.raises(ClusterError, match=r"cannot be made: .*dppctl-has-no-such-package") as caught:
        ensure_dpp_environment(cache, tmp_path, lambda _: None)
    assert "\n" not in str(caught.value)
    assert remains(cache) == before


@pytest.fixture
def silent_index(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], bool]]:
    """An index that takes requests and never answers them; it tells whether there was one."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("UV_DEFAULT_INDEX", f"http://127.0.0.1:{server.getsockname()[1]}/simple")
        monkeypatch.setenv("UV_HTTP_TIMEOUT", "600")
        for name in ("UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_OFFLINE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("UV_NO_CONFIG", "1")
        yield lambda: bool(select.select([server], [], [], 0)[0])


def remains(cache: Path) -> list[str]:
    return [path.name for path in (cache / "runtimes").iterdir() if path.suffix != ".lock"]


def test_a_stop_ends_an_install_at_once_and_who_waits_for_it_too(
    tmp_path: Path, silent_index: Callable[[], bool]
) -> None:
    stop = threading.Event()
    said: list[str] = []
    with ThreadPoolExecutor(2) as threads:
        both = [threads.submit(ensure_dpp_environment, tmp_path, None, said.append, stop) for _ in range(2)]
        eventually(silent_index, "uv asks the index")
        eventually(lambda: any(line.startswith("Waiting for another run") for line in said), "the other one waits")
        began = time.monotonic()
        stop.set()
        assert [type(one.exception()) for one in both] == [StoppedError, StoppedError]
        assert time.monotonic() - began < 3 * BUSY
    assert remains(tmp_path) == []
    eventually(lambda: not processes_with(str(tmp_path)), "uv is gone")


def test_ctrl_c_ends_an_install_with_all_that_it_started(tmp_path: Path, silent_index: Callable[[], bool]) -> None:
    process = start(tmp_path)
    eventually(silent_index, "uv asks the index")
    process.send_signal(signal.SIGINT)  # to dppctl alone: uv has a session of its own
    process.communicate(timeout=60)
    assert remains(tmp_path) == []
    eventually(lambda: not processes_with(str(tmp_path)), "uv is gone")


def test_an_install_that_says_nothing_for_long_is_ended(
    tmp_path: Path, silent_index: Callable[[], bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dpp_environment, "DPP_INSTALL_SILENCE_SECONDS", 1.0)
    with pytest.raises(ClusterError, match=r"cannot be made: uv wrote nothing for 1 seconds; look at this machine's"):
        ensure_dpp_environment(tmp_path, None, lambda _: None)
    assert silent_index()
    assert remains(tmp_path) == []
