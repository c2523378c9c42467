"""What Kubernetes and Prometheus are answered, over a socket."""

from collections.abc import Iterator

import pytest
import requests
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from bot.errors import DppctlError
from bot.probes import HttpServer, Probes, ProgressCheck
from tests.support.waiting import eventually


class Three(Collector):
    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("dppctl_three", "always three", value=3)


def test_checks_and_metrics_are_answered_and_nothing_else() -> None:
    problems: list[str] = []
    probes = Probes(lambda: None, lambda: problems[-1] if problems else None, Three())
    server = HttpServer("127.0.0.1", 0, probes.respond)
    try:
        healthy = requests.get(f"{server.address}/healthz", timeout=60)
        assert (healthy.status_code, healthy.json()) == (200, {"status": "ok"})
        assert healthy.headers["Content-Type"] == "application/json"
        assert requests.get(f"{server.address}/readyz", timeout=60).status_code == 200
        problems.append("the first pass has not ended")
        ready = requests.get(f"{server.address}/readyz", timeout=60)
        assert (ready.status_code, ready.json()) == (503, {"error": "the first pass has not ended"})
        assert "dppctl_three 3.0" in requests.get(f"{server.address}/metrics", timeout=60).text
        for method, path in (("GET", "/else"), ("POST", "/healthz"), ("GET", "/healthz/more")):
            assert requests.request(method, server.address + path, timeout=60).status_code == 404
    finally:
        server.close()
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{server.address}/healthz", timeout=60)


def test_what_a_server_does_not_have_is_not_found() -> None:
    server = HttpServer("127.0.0.1", 0, Probes(lambda: None).respond)
    try:
        codes = [requests.get(f"{server.address}/{name}", timeout=60).status_code for name in ("readyz", "metrics")]
        assert codes == [404, 404]
        with pytest.raises(DppctlError, match=r"DPPCTL_PORT \d+: Address already in use"):
            HttpServer("127.0.0.1", int(server.address.rpartition(":")[2]), Probes(lambda: None).respond)
    finally:
        server.close()


def test_a_bot_that_does_nothing_any_more_says_so() -> None:
    done = 0
    check = ProgressCheck(lambda: done, stuck_seconds=0.05)
    eventually(lambda: (check.problem() or "").startswith("nothing has happened for"), "it is stuck")
    done = 1
    assert check.problem() is None
    eventually(check.problem, "it is stuck again")
