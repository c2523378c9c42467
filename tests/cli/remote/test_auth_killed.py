"""The auth server is killed while 20 runs go on: nobody who follows one notices, and who comes anew waits a moment."""

import json
import os
import random
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from cli.remote.client import ProxyClient
from cli.remote.clusters import NamedCluster
from cluster.proxy.tokens import make_token, write_tokens
from cluster.runs_api import RunRequest
from tests.support.auth import SERVICE
from tests.support.command import Dppctl
from tests.support.stories.github import free_port
from tests.support.stories.operator_world import OperatorWorld
from tests.support.stories.proxy_world import AuthPlace, Person, ProxyWorld

pytestmark = [pytest.mark.needs("an API server"), pytest.mark.slow]
RUNS, KILLS = 20, 1  # each start takes seconds of the processor


class AuthProcess:
    """`dppctl auth-server`, whose processes are killed and started anew at the same address."""

    def __init__(self, dppctl: Dppctl, folder: Path) -> None:
        self._dppctl, self._folder, self._port = dppctl, folder, free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        (folder / "service-token").write_text(SERVICE)
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Return when it answers."""
        self._process = self._dppctl.start(
            "auth-server", "--config", str(self._folder), cwd=self._folder, PYTHONUNBUFFERED="1",
            DPPCTL_AUTH_MODE="token", DPPCTL_AUTH_LISTEN=f"127.0.0.1:{self._port}",
            DPPCTL_AUTH_SERVICE_TOKEN_FILE="service-token", DPPCTL_PROXY_TOKENS_FILE="tokens.json",
        )  # fmt: skip
        assert self._process.stdout
        assert re.search("is up", self._process.stdout.readline())

    def kill(self) -> None:
        """As a power cut does it."""
        assert self._process
        self._process.send_signal(signal.SIGKILL)
        self._process.communicate()
        while self._answers():  # its own processes end with it
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/healthz", timeout=5).ok
        except requests.RequestException:
            return False


@pytest.fixture
def auth(dppctl: Dppctl, tmp_path: Path) -> Iterator[AuthProcess]:
    made = AuthProcess(dppctl, tmp_path)
    write_tokens(tmp_path / "tokens.json", [])
    made.start()
    yield made
    made.kill()


def test_runs_do_not_notice_and_new_logins_wait(
    auth: AuthProcess, runs: OperatorWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.accounts.ACCOUNT_SECONDS", 0.3)  # so that each run's calls ask it again
    monkeypatch.setattr("cluster.proxy.authentication.TOKEN_CHECK_SECONDS", 0.1)
    made = [make_token(name, name, ["read", "run"]) for name in ("ann", *(f"new-{number}" for number in range(KILLS)))]
    write_tokens(tmp_path / "tokens.json", [record for _, record in made])
    (ann, *others) = [token for token, _ in made]
    folder = tmp_path / "proxy"
    folder.mkdir()
    world = ProxyWorld(
        folder, os.environ["DPPCTL_TEST_KUBECONFIG"], runs.namespace, runs.url, AuthPlace(auth.url, "token")
    )
    chance = random.Random(7)
    followed = threading.Semaphore(0)

    def run(number: int) -> bytes:
        """As `dppctl run` does it: ask for a run, follow it in one connection, and give the last line of its events."""
        with ProxyClient(NamedCluster("office", world.url), ann, lambda _: None) as proxy:
            asked = RunRequest.model_validate({"pipelines": ["second"], "workload": runs.workload})
            name = proxy.create_run(asked, f"run-{number}").name
        while (answer := Person(world.url, ann).ask("GET", f"/v1/runs/{name}/events", stream=True)).status_code == 503:
            time.sleep(float(answer.headers["Retry-After"]))
        followed.release()
        return [line for line in answer.iter_lines(chunk_size=1) if line][-1]

    with world.running(), ThreadPoolExecutor(RUNS) as threads:
        ends = [threads.submit(run, number) for number in range(RUNS)]
        for _ in range(RUNS):
            assert followed.acquire(timeout=60), [each.exception(0) for each in ends if each.done()]
        for token in others:
            time.sleep(chance.uniform(0.1, 1.0))
            auth.kill()
            status, problem = Person(world.url, token).refused("GET", "/v1/runs")
            assert (status, problem["code"]) == (503, "auth-away")
            auth.start()
            assert Person(world.url, token).ask("GET", "/v1/runs").status_code == 200
        phases = [json.loads(each.result(180))["phase"] for each in ends]
        assert phases == ["Succeeded"] * RUNS
        assert len(Person(world.url, ann).get("/v1/runs")["runs"]) == RUNS
