"""The auth server is killed while 20 runs go on: nobody who follows one notices, and who comes anew waits a moment."""

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
from cluster.operator.model import Phase
from cluster.proxy.tokens import make_token, write_tokens
from cluster.runs_api import RunRequest
from tests.support.auth import SERVICE
from tests.support.command import Dppctl
from tests.support.stories.github import free_port
from tests.support.stories.operator_world import OperatorWorld
from tests.support.stories.proxy_world import AuthPlace, Person, ProxyWorld

pytestmark = [pytest.mark.needs("an API server"), pytest.mark.slow]
RUNS, KILLS = 20, 2


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
    broken: list[str] = []
    chance = random.Random(7)
    began = threading.Event()

    def run(number: int) -> Phase:
        """As `dppctl run` does it, but for what it shows: calls that are answered 503 are made again."""
        with ProxyClient(NamedCluster("office", world.url), ann, broken.append) as proxy:
            asked = RunRequest.model_validate({"pipelines": ["second"], "workload": runs.workload})
            name = proxy.create_run(asked, f"run-{number}").name
            began.set()
            while not (found := proxy.run(name)).phase.has_ended:
                time.sleep(0.5)
            return found.phase

    with world.running(), ThreadPoolExecutor(RUNS) as threads:
        ends = [threads.submit(run, number) for number in range(RUNS)]
        assert began.wait(60), ends[0].exception(0)
        followed = _Follower(Person(world.url, ann))
        for token in others:
            time.sleep(chance.uniform(0.1, 1.0))
            auth.kill()
            status, problem = Person(world.url, token).refused("GET", "/v1/runs")
            assert (status, problem["code"]) == (503, "auth-away")
            auth.start()
            assert Person(world.url, token).ask("GET", "/v1/runs").status_code == 200
        assert {each.result(180) for each in ends} == {Phase.SUCCEEDED}
        assert len(Person(world.url, ann).get("/v1/runs")["runs"]) == RUNS
        followed.check()


class _Follower:
    """Reads the events of a run from before the first kill to its end, in one connection."""

    def __init__(self, person: Person) -> None:
        (self._name, *_) = [run["name"] for run in person.get("/v1/runs")["runs"]]
        self._answer = person.ask("GET", f"/v1/runs/{self._name}/events", stream=True)
        self._lines: list[bytes] = []
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        self._lines.extend(self._answer.iter_lines(chunk_size=1))

    def check(self) -> None:
        """The stream came to its own end."""
        self._thread.join(60)
        assert b'"Succeeded"' in self._lines[-1]
