"""What tests share: a real dpp runtime, workloads written in a few lines, the command line as a user has it."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import TypeVar

import pytest

from cluster.local.folders import cache_dir
from cluster.local.workers.dpp_environment import DppEnvironment, ensure_dpp_environment

REPOSITORY = Path(__file__).parent.parent
SECONDS_TO_WAIT = 90.0
# So many times longer than what is promised may things take while other tests run beside; alone a test wants all of it.
BUSY = 6 if "PYTEST_XDIST_WORKER" in os.environ else 1
SLEEPER = """
    sleeper:
      pipeline:
      - run: sleeper
        code: |
            import time
            from datapackage_pipelines.wrapper import ingest
            ingest()
            open("running", "w").close()
            time.sleep(600)
"""  # a pipeline that runs until it is stopped; the file tells that it does
T = TypeVar("T")


def use_kubeconfig(monkeypatch: pytest.MonkeyPatch, file: str) -> None:
    """For this test KUBECONFIG names that file, also for Kubernetes' client, which looks at the variable only once."""
    monkeypatch.setenv("KUBECONFIG", file)
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", file)


def needs(component: str, found: object = None) -> None:
    """Skip the test unless the component is there; with DPPCTL_REQUIRE_ALL=1 its absence is a failure.

    component: a command to look for on PATH, or a description when `found` says whether it is there.
    """
    if shutil.which(component) if found is None else found:
        return
    if os.environ.get("DPPCTL_REQUIRE_ALL") == "1":
        pytest.fail(f"this machine lacks {component}, and DPPCTL_REQUIRE_ALL=1")
    pytest.skip(f"this machine lacks {component}")


def eventually(condition: Callable[[], T], what: str, seconds: float = SECONDS_TO_WAIT) -> T:
    """Wait until the condition gives something true, and give that; fail with `what` when it never does."""
    end = time.monotonic() + seconds
    while True:
        asked = time.monotonic()
        if value := condition():
            return value
        if (now := time.monotonic()) > end:
            pytest.fail(f"not within {seconds:.0f} s: {what}")
        time.sleep(max(0.02, 2 * (now - asked)))  # to ask may start a program: what is waited for needs the processor


def write_files(folder: Path, files: Mapping[str, str]) -> Path:
    """Write files, their texts dedented, below the folder, and give the folder."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text).lstrip("\n"))
    return folder


def processes_with(text: str) -> list[int]:
    """The processes whose command line or environment holds this text (Linux), this one left out."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            content = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if text.encode() in content and state != "Z":
            found.append(int(folder.name))
    return found


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What waits for a cluster comes first: other tests fill the time, and none of the longest is the last to start."""
    items.sort(key=lambda item: item.get_closest_marker("cluster") is None)


@pytest.fixture(scope="session")
def runtime() -> DppEnvironment:
    """dpp's environment, from the cache that all runs on this machine share."""
    return ensure_dpp_environment(cache_dir(), None, print)


@pytest.fixture
def workload(tmp_path: Path) -> Callable[[Mapping[str, str]], Path]:
    """Writes a workload's files into a folder and gives the folder."""
    return lambda files: write_files(tmp_path / "workload", files)


@dataclass(frozen=True)
class Dppctl:
    """The command line with data folders of its own."""

    data: Path
    environment: Mapping[str, str]

    def __call__(
        self, *arguments: str, cwd: Path | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        process = self.start(*arguments, cwd=cwd, **environment)
        stdout, stderr = process.communicate(timeout=180)
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    def start(self, *arguments: str, cwd: Path | None = None, **environment: str) -> subprocess.Popen[str]:
        """Start it; the caller ends it."""
        return subprocess.Popen(
            [sys.executable, "-m", "cli.main", *arguments],
            cwd=cwd or self.data,
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture
def dppctl(tmp_path: Path, runtime: DppEnvironment) -> Dppctl:
    """`dppctl("run", "all", cwd=folder)`; pods end with the command (DPPCTL_KEEP=0) unless a test says otherwise."""
    assert runtime.bin.is_dir()  # so that no command of a test prints how it is set up
    data = tmp_path / "data"
    data.mkdir()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("DPPCTL_")}
    settings = {"DPPCTL_DATA_DIR": str(data), "DPPCTL_CACHE_DIR": str(cache_dir()), "DPPCTL_KEEP": "0"}
    return Dppctl(data, {**inherited, **settings, "PYTHONPATH": str(REPOSITORY)})
