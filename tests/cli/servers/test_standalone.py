"""`dppctl receive` and `dppctl bot`, each a process of its own, as a cluster runs them."""

import json
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from sqlalchemy import create_engine, text

from bot.errors import DppctlError
from cli.servers.lifecycle import set_up
from cli.servers.standalone import open_store
from cluster.local.databases import postgres
from tests.support.command import Dppctl
from tests.support.environment import processes_with
from tests.support.forge import APP, Repository
from tests.support.waiting import BUSY, eventually
from tests.support.world import World
from webhooks.signature import sign

APPS = "apps:\n- appRepoPath: ann/app\n  opsRepoPath: ann/ops\n  environments: [staging, production]\n"
Start = Callable[..., tuple[subprocess.Popen[str], str]]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, SYNC_TOKEN="t0k3n")


@pytest.fixture
def app(world: World) -> Repository:
    assert world.ops.log() == ["start"]
    world.app.push(APP)
    return world.app


@pytest.fixture
def config(world: World) -> Path:
    return world.write_config()


@pytest.fixture
def start(dppctl: Dppctl, config: Path) -> Iterator[Start]:
    """`start("bot", DPPCTL_X="y")`: the process, and its URL when it is up."""
    started = []

    def run(command: str, **environment: str) -> tuple[subprocess.Popen[str], str]:
        process = dppctl.start(command, "--config", str(config), PYTHONUNBUFFERED="1", **environment)
        started.append(process)
        assert process.stdout
        found = re.search(r"http://[\d.:]+", process.stdout.readline())
        assert found, process.communicate()
        return process, found[0]

    yield run
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()
    eventually(lambda: not processes_with(str(config)), "nothing is left")


def delivery(url: str, payload: dict[str, object], number: str = "1", event: str = "push") -> requests.Response:
    body = json.dumps(payload).encode()
    headers = {
        "Content-Type": "application/json",
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": number,
        "X-Hub-Signature-256": sign(body, "hush"),
    }
    return requests.post(f"{url}/webhooks/github", data=body, headers=headers, timeout=60)


def ends_within_five_seconds(processes: list[subprocess.Popen[str]], number: signal.Signals) -> None:
    """Send the signal to all of them."""
    begin = time.monotonic()
    for process in processes:
        process.send_signal(number)
    for process in processes:
        out, err = process.communicate(timeout=60)
        assert (process.returncode, "Traceback" in err) == (0, False), (out, err)
    assert time.monotonic() - begin < 5 * BUSY


def test_what_one_takes_the_other_deploys_and_sigterm_ends_them(start: Start, app: Repository) -> None:
    receiver, url = start("receive", DPPCTL_DEPLOYED_BY="commit-status")
    bot, health = start("bot", DPPCTL_DEPLOYED_BY="commit-status")
    eventually(lambda: "waiting" in requests.get(url, timeout=60).text, "the start looks")
    commit = app.push({"file": "new"})
    push = {"ref": "refs/heads/master", "before": "0" * 40, "after": commit, "repository": {"full_name": "ann/app"}}
    assert delivery(url, push).json()["outcome"] == "accepted"
    eventually(lambda: commit[:7] in requests.get(url, timeout=60).text, "it is deployed")
    ops = app.forge.folder / "forge" / "ann" / "ops.git"
    sha = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=ops, text=True).strip()
    status: dict[str, object] = {"sha": sha, "state": "success", "context": "flux/staging", "description": "applied"}
    assert delivery(url, {**status, "repository": {"full_name": "ann/ops"}}, "2", "status").status_code == 202
    eventually(lambda: "succeeded" in requests.get(url, timeout=60).text, "it has ended")
    assert requests.get(f"{health}/healthz", timeout=60).json() == {"status": "ok"}
    assert requests.get(f"{health}/else", timeout=60).status_code == 404
    ends_within_five_seconds([receiver, bot], signal.SIGTERM)


def test_two_bots_share_no_state_what_is_missing_is_a_line_and_ctrl_c_ends_them(
    start: Start, app: Repository, dppctl: Dppctl, config: Path, tmp_path: Path
) -> None:
    assert app.log()
    bot, health = start("bot")
    receiver, url = start("receive")
    for address in (health, url):
        assert requests.get(f"{address}/healthz", timeout=60).status_code == 200
    again = dppctl("bot", "--config", str(config))
    assert (again.returncode, again.stderr.count("\n")) == (2, 1)
    assert "another `dppctl up` or bot uses" in again.stderr
    for command, given, said in (
        ("receive", {"DPPCTL_DATABASE_URL": "nothing"}, "DPPCTL_DATABASE_URL"),
        ("up", {"DPPCTL_DEPLOYED_BY": "commit-status"}, "`dppctl up` deploys by itself"),
    ):
        done = dppctl(command, "--config", str(config), DPPCTL_STATE_DIR=str(tmp_path / "other"), **given)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done
        assert said in done.stderr
    ends_within_five_seconds([bot, receiver], signal.SIGINT)


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("DPPCTL_SYNC_URL", "sync:80", "DPPCTL_SYNC_URL: String should match"),
        ("DPPCTL_DEPLOYED_BY", "hand", "DPPCTL_DEPLOYED_BY: Input should be 'sync' or 'commit-status'"),
    ],
)
def test_a_setting_that_is_wrong_is_a_line(
    config: Path, monkeypatch: pytest.MonkeyPatch, setting: str, value: str, said: str
) -> None:
    monkeypatch.setenv(setting, value)
    with pytest.raises(DppctlError) as raised:
        set_up(config, receives=False)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.needs("PostgreSQL")
def test_a_postgresql_that_is_not_ready_is_waited_for(tmp_path: Path) -> None:
    folder = postgres.scratch(tmp_path)
    server = postgres.start(folder)
    url = f"postgresql+psycopg://{postgres.USER}:{server.password}@127.0.0.1:{server.port}"

    def create() -> None:
        engine = create_engine(f"{url}/postgres", isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text("CREATE DATABASE later"))
        engine.dispose()

    try:
        with pytest.raises(DppctlError, match="DPPCTL_DATABASE_URL"):
            open_store(f"{url}/later", 0.0)
        timer = threading.Timer(0.5, create)
        timer.start()
        open_store(f"{url}/later").close()
        timer.join()
    finally:
        server.stop()
        shutil.rmtree(folder)
