"""`dppctl up` as a user meets it."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from click.testing import CliRunner

from bot.errors import DppctlError
from cli.main import dppctl as command
from cli.open_store import unseen
from tests.support.command import Dppctl
from tests.support.environment import processes_with
from tests.support.forge import APP, FLOW, Repository
from tests.support.waiting import BUSY, eventually
from tests.support.workloads import write_files
from tests.support.world import World
from webhooks.signature import sign

DELIVERY = "72d3162e-cc78-11e3-81ab-4c9367dc0958"


@pytest.fixture
def world(tmp_path: Path) -> World:
    """An app whose pipeline takes long."""
    world = World(tmp_path)
    slow = FLOW.replace("def flow(*_):", "def flow(*_):\n        import time; time.sleep(300)")
    world.app.push({**APP, "rows.py": slow})
    assert world.ops.log() == ["start"]
    return world


@pytest.fixture
def app(world: World) -> Repository:
    return world.app


@pytest.fixture
def config(world: World) -> Path:
    return world.write_config()


@pytest.fixture
def start(dppctl: Dppctl, config: Path) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Starts `dppctl up`."""
    started: list[subprocess.Popen[str]] = []

    def run() -> subprocess.Popen[str]:
        started.append(dppctl.start("up", "--config", str(config), PYTHONUNBUFFERED="1"))
        return started[-1]

    yield run
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def address(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    line = next(line for line in process.stdout if " is up" in line)
    found = re.search(r"http://[\d.:]+", line)
    assert found
    return found[0]


def gunicorn(config: Path) -> int:
    """The process that leads the receiver's."""
    return eventually(
        lambda: next((pid for pid in sorted(processes_with(f"DPPCTL_CONFIG={config}"))), 0), "the receiver runs"
    )


def test_what_breaks_or_kills_it_leaves_nothing_running_the_next_start_goes_on_and_ctrl_c_ends_it_soon(
    start: Callable[[], subprocess.Popen[str]], config: Path, dppctl: Dppctl
) -> None:
    def runs_a_pipeline() -> subprocess.Popen[str]:
        up = start()
        url = address(up)
        eventually(lambda: len(processes_with(str(config / "state" / "environments"))) > 2, "the pipeline runs")
        assert "running" in requests.get(url, timeout=60).text
        return up

    up = runs_a_pipeline()
    second = dppctl("up", "--config", str(config))
    assert second.returncode == 2
    assert re.fullmatch(r"dppctl: another `dppctl up` or bot uses .*\n", second.stderr)
    os.kill(gunicorn(config), signal.SIGKILL)
    assert up.wait(60) == 1
    eventually(lambda: not processes_with(str(config)), "all its processes end")

    runs_a_pipeline().kill()
    eventually(lambda: not processes_with(str(config)), "the worker ends what it started, the receiver itself")

    up = runs_a_pipeline()
    listed = json.loads(dppctl("list", "deployments", "--config", str(config)).stdout)
    assert [(one["environment"], one["state"]) for one in listed] == [("staging", "running")]
    begin = time.monotonic()
    up.send_signal(signal.SIGINT)
    assert up.wait(60) == 0
    assert time.monotonic() - begin < 5 * BUSY
    eventually(lambda: not processes_with(str(config)), "all its processes end")


def test_a_push_that_a_webhook_tells_of_is_deployed(dppctl: Dppctl, config: Path, app: Repository) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return dppctl(*arguments, "--config", str(config))

    assert "has `dppctl up` run" in run("list", "deployments").stderr
    up = dppctl.start("up", "--config", str(config), PYTHONUNBUFFERED="1")
    try:
        url = address(up)
        eventually(lambda: len(processes_with(str(config / "state" / "environments"))) > 2, "the pipeline runs")
        commit = app.push({"rows.py": FLOW})
        body = json.dumps(
            {"ref": "refs/heads/master", "before": "0" * 40, "after": commit, "repository": {"full_name": "ann/app"}}
        ).encode()
        headers = {
            "Content-Type": "application/json",
            "X-GitHub-Event": "push",
            "X-GitHub-Delivery": DELIVERY,
            "X-Hub-Signature-256": sign(body, "hush"),
        }
        assert requests.post(f"{url}/webhooks/github", data=body, headers=headers, timeout=60).status_code == 202
        eventually(lambda: commit[:7] in requests.get(url, timeout=60).text, "it is deployed")
        followed = run("logs", "2", "--follow")
        assert (followed.returncode, "'count_of_rows': 3" in followed.stdout) == (0, True), followed
        found = json.loads(run("list", "deployments").stdout)
        assert [one["id"] for one in found] == [2, 1]
        assert (found[0]["commit"], found[0]["rows"]) == (commit, 3)
        for arguments in (
            ["deploy", "ann/app", "staging", "--ref", "nothing"],
            ["deploy", "ann/app", "elsewhere"],
            ["logs", "99"],
        ):
            refused = run(*arguments)
            assert (refused.returncode, refused.stderr.count("\n")) == (2, 1), refused
        page = requests.get(f"{url}/deployments/2", timeout=60).text
        assert ">pushed<" in page
        assert "dppctl_reconcile_duration_seconds_count" in requests.get(f"{url}/metrics", timeout=60).text
    finally:
        up.terminate()
        assert up.wait(60) == 0
        _, log = up.communicate()
    # From the delivery to the receipt with a single grep, as docs/operations.md says.
    lines = [line for line in log.splitlines() if f"delivery={DELIVERY}" in line]
    events = [re.search(r" event=(\S+)", line) for line in lines]
    assert [event[1] for event in events if event] == ["received", "deploying", "started", "succeeded"]
    assert all("app=ann/app environment=staging" in line for line in lines[1:])
    assert "outcome=accepted kind=push repository=ann/app" in lines[0]
    assert all(f"commit={commit}" in line for line in lines[1:])
    assert "rows=3" in lines[-1]


def test_what_is_missing_is_said_in_one_line(tmp_path: Path) -> None:
    for files, said in (
        ({}, "empty is no folder of dppctl's servers: it has no apps.yaml"),
        ({"apps.yaml": "apps: []"}, "DPPCTL_WEBHOOK_SECRETS: is not set"),
        (
            {".env": "DPPCTL_WEBHOOK_SECRETS=x", "apps.yaml": "apps: []\napp: 1"},
            "apps.yaml:2: unknown key app; did you mean apps?",
        ),
    ):
        config = write_files(tmp_path / "empty", files)
        config.mkdir(exist_ok=True)
        error = CliRunner().invoke(command, ["up", "--config", str(config)]).exception
        assert isinstance(error, DppctlError)
        assert said in str(error)
        assert "\n" not in str(error)


def test_a_log_that_is_followed_is_told_once_also_when_its_oldest_part_goes() -> None:
    lines = [f"line {number}\n" for number in range(1000)]
    assert unseen("", "a\n") == "a\n"
    assert unseen("".join(lines[:500]), "".join(lines)) == "".join(lines[500:])
    assert unseen("".join(lines[:500]), "(the oldest part is gone)\n" + "".join(lines[300:])) == "".join(lines[500:])
    assert unseen("".join(lines[:5]), "".join(lines[500:])) == "".join(lines[500:])
