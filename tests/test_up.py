"""`dppctl up` as a user meets it."""

import json
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.conftest import Dppctl, eventually, processes_with, write_files
from tests.forge import APP, FLOW, Forge

APPS = """
    apps:
    - appRepoPath: ann/app
      opsRepoPath: ann/ops
      environments: [staging, production]
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    forge = Forge(tmp_path)
    app, ops = forge.repository("ann/app"), forge.repository("ann/ops")
    ops.push({"README.md": ""})
    app.push({**APP, "rows.py": FLOW.replace("def flow(*_):", "def flow(*_):\n        import time; time.sleep(300)")})
    settings = f"DPPCTL_GITHUB_URL={forge.url}\nDPPCTL_WEBHOOK_SECRETS=hush\nDPPCTL_PORT=0\n"
    return write_files(tmp_path / "config", {"apps.yaml": APPS, ".env": settings})


@pytest.fixture
def up(dppctl: Dppctl, config: Path) -> Iterator[subprocess.Popen[str]]:
    process = dppctl.start("up", "--config", str(config), PYTHONUNBUFFERED="1")
    yield process
    if process.poll() is None:
        process.kill()
    process.communicate()


def address(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    line = next(line for line in process.stdout if " is up" in line)
    found = re.search(r"http://[\d.:]+", line)
    assert found
    return found[0]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_all_of_it_within_five_seconds_while_a_pipeline_runs(
    up: subprocess.Popen[str], config: Path, number: signal.Signals
) -> None:
    url = address(up)
    eventually(lambda: len(processes_with(str(config / "state" / "environments"))) > 2, "the pipeline runs")
    assert "running" in requests.get(url, timeout=10).text
    start = time.monotonic()
    up.send_signal(number)
    assert up.wait(10) == 0
    assert time.monotonic() - start < 5
    eventually(lambda: not processes_with(str(config)), "all its processes end")


def test_a_killed_one_leaves_no_pipeline_running_and_the_next_start_goes_on(
    up: subprocess.Popen[str], config: Path, dppctl: Dppctl
) -> None:
    address(up)
    environments = str(config / "state" / "environments")
    eventually(lambda: len(processes_with(environments)) > 2, "the pipeline runs")
    up.kill()
    eventually(lambda: not processes_with(environments), "the worker ends what it started")
    again = dppctl.start("up", "--config", str(config), PYTHONUNBUFFERED="1")
    try:
        eventually(lambda: len(processes_with(environments)) > 2, "the pipeline runs again")
        listed = json.loads(dppctl("list", "deployments", "--config", str(config)).stdout)
        assert [(one["environment"], one["state"]) for one in listed] == [("staging", "running")]
    finally:
        again.terminate()
        again.communicate(timeout=10)


def test_two_do_not_share_a_state(up: subprocess.Popen[str], config: Path, dppctl: Dppctl) -> None:
    address(up)
    second = dppctl("up", "--config", str(config))
    assert second.returncode == 2
    assert re.fullmatch(r"dppctl: another `dppctl up` uses .*\n", second.stderr)


def test_what_is_missing_is_said_in_one_line(dppctl: Dppctl, tmp_path: Path) -> None:
    for files, said in (
        ({}, "DPPCTL_WEBHOOK_SECRETS: is not set"),
        ({".env": "DPPCTL_WEBHOOK_SECRETS=x"}, "apps.yaml: not found"),
        ({"apps.yaml": "apps: []\napp: 1"}, "apps.yaml:2: unknown key app; did you mean apps?"),
    ):
        config = write_files(tmp_path / "empty", files)
        config.mkdir(exist_ok=True)
        done = dppctl("up", "--config", str(config))
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert said in done.stderr
