"""Many runs at once, while the usage server and the proxy are killed at random: nothing may be missing in the log."""

import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import requests

from cluster.proxy.tokens import make_token, write_tokens
from cluster.usage.report import events_since
from cluster.usage.service import UsageService
from cluster.usage.tables import RunUsage
from tests.support.auth import START
from tests.support.stories.github import free_port
from tests.support.stories.operator_world import RunsNamespace
from tests.support.stories.runs_processes import ServerProcess
from tests.support.waiting import eventually

LIMITS = "default: {runs: null, databases: null, pendingRuns: null, workerHours: null, callsPerMinute: null}\n"
PHASES = ("run Pending", "run Assigned", "run Running", "run Succeeded")


class UsageStory:
    """A proxy and a usage server in processes of their own, in front of an operator that somebody else runs."""

    def __init__(self, world: RunsNamespace, kubeconfig: str, operator_url: str, seed: int) -> None:
        self.world, self._random = world, random.Random(seed)
        folder = self._folder = world.workloads.parent
        token, record = make_token("a test", "ann", ("read", "run"))
        write_tokens(folder / "tokens.json", [record])
        texts = {"usage-token": "usage", "service-token": "service", "token": "of the proxy", "limits.yaml": LIMITS}
        for name, text in texts.items():
            (folder / name).write_text(text)
        proxy, usage = free_port(), free_port()
        common = {
            "DPPCTL_USAGE_TOKEN_FILE": str(folder / "usage-token"),
            "DPPCTL_PROXY_SERVICE_TOKEN_FILE": str(folder / "service-token"),
        }
        self._settings = {
            "proxy": {
                **common, "KUBECONFIG": kubeconfig, "DPPCTL_RUNS_NAMESPACE": world.namespace,
                "DPPCTL_OPERATOR_URL": operator_url, "DPPCTL_OPERATOR_TOKEN_FILE": str(folder / "token"),
                "DPPCTL_PROXY_LISTEN": f"127.0.0.1:{proxy}", "DPPCTL_PROXY_TOKENS_FILE": str(folder / "tokens.json"),
                "DPPCTL_USAGE_URL": f"http://127.0.0.1:{usage}",
            },
            "usage-server": {
                **common, "DPPCTL_USAGE_LISTEN": f"127.0.0.1:{usage}", "DPPCTL_PROXY_URL": f"http://127.0.0.1:{proxy}",
                "DPPCTL_USAGE_LIMITS_FILE": str(folder / "limits.yaml"),
            },
        }  # fmt: skip
        self._url = f"http://127.0.0.1:{proxy}/v1/runs"
        self._headers = {"Authorization": f"Bearer {token}"}
        self._servers: dict[str, ServerProcess] = {}
        self.kills: Counter[str] = Counter()
        self.names: list[str] = []

    def play(self, runs: int, kills: int, seconds: float) -> None:
        """Ask for so many runs, ten at a time, while servers are killed; `seconds`: at most between two kills."""
        for name in self._settings:
            self._start(name)
        done = threading.Event()
        with ThreadPoolExecutor(10) as threads:
            asked = [threads.submit(self._ask, number) for number in range(runs)]
            for number in range(kills):
                done.wait(self._random.uniform(0.2, seconds))
                name = sorted(self._servers)[number % 2]
                self._servers.pop(name).kill()
                self.kills[name] += 1
                self._start(name)
            self.names = [each.result() for each in asked]

    def check(self, seconds: float = 120.0) -> None:
        """Wait until all is as it has to be, or fail."""
        assert len({*self.names}) == len(self.names)
        service = UsageService(f"sqlite:///{self._folder}/state/usage.sqlite", None)
        try:
            eventually(lambda: not self._problem(service), f"nothing is missing: {self._problem(service)}", seconds)
        finally:
            service.close()

    def close(self) -> None:
        for server in self._servers.values():
            server.stop()

    def _problem(self, service: UsageService) -> str:
        """Return what is missing or left over; "": nothing is."""
        logged: dict[str, Counter[str]] = {name: Counter() for name in self.names}
        for event in events_since(service, None, START):
            if (found := logged.get(str(event["subject"]))) is not None:
                found[f"{event['action']} {event['outcome']}"] += 1
        for name, found in logged.items():
            answered = found["POST /v1/runs 201"] + found["POST /v1/runs 200"]
            is_whole = all(found[phase] == 1 for phase in PHASES) and found["POST /v1/runs asked"] and answered
            if not is_whole:
                return f"{name}: {dict(found)}"
        with service.database.read() as session:
            rows = {row.run: row for row in session.query(RunUsage)}
        if left := service.reservations.count_open():
            return f"{left} places are left over"
        return next(
            (f"{name} is not counted" for name in self.names if name not in rows or not rows[name].is_closed), ""
        )

    def _ask(self, number: int) -> str:
        """Ask for a run until there is one, as `dppctl run` does, and return its name."""
        body = {"pipelines": ["rows"], "workload": self.world.workload}
        headers = {**self._headers, "Idempotency-Key": f"run-{number}"}
        end = time.monotonic() + 300
        while time.monotonic() < end:
            with suppress(requests.RequestException):
                answer = requests.post(self._url, json=body, headers=headers, timeout=20)
                if answer.status_code in (200, 201):
                    found: dict[str, Any] = answer.json()
                    return str(found["name"])
                assert answer.status_code == 503, answer.text
            time.sleep(0.2)
        raise AssertionError(f"run {number} could not be asked for")

    def _start(self, name: str) -> None:
        """Start a server; the children of one that was killed have its address for a second."""
        end = time.monotonic() + 60
        while True:
            try:
                self._servers[name] = ServerProcess(name, self._folder, self._settings[name])
            except AssertionError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.3)
            else:
                return
