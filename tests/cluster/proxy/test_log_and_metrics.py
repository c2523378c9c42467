"""What the proxy says of itself: a line of the log and a count for each request, and no secret in either."""

import logging
from pathlib import Path

import requests
import structlog

from tests.support.kubeconfig import kubeconfig_of
from tests.support.stories.proxy_world import Person, ProxyWorld


def test_a_request_is_a_line_and_a_count_without_token_and_query(tmp_path: Path) -> None:
    world = ProxyWorld(tmp_path, kubeconfig_of(tmp_path, "http://127.0.0.1:9"), "runs", "http://127.0.0.1:9")
    before = structlog.get_config()["wrapper_class"]
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))
    try:
        with structlog.testing.capture_logs() as events, world.running():
            ann = world.person()
            ann.refused("GET", "/v1/runs?secret=s3cret")
            Person(world.url, "dppctl_wr0ng").refused("GET", "/v1/runs")
            ann.refused("GET", "/nowhere")
            for probe in ("/healthz", "/readyz"):
                assert requests.get(world.url + probe, timeout=5).json() == {"status": "ok"}
            metrics = requests.get(f"{world.url}/metrics", timeout=5).text
    finally:
        structlog.configure(wrapper_class=before)
    lines = [event for event in events if event["event"] == "request"]
    assert [(line["path"], line["status"], line.get("user")) for line in lines] == [
        ("/v1/runs", 503, "token:ann"), ("/v1/runs", 401, None), ("/nowhere", 404, None),
    ]  # fmt: skip
    for secret in (ann.token, "s3cret", "wr0ng"):
        assert secret not in str(events)
    assert 'dppctl_proxy_requests_total{method="GET",route="/v1/runs",status="503"} 1.0' in metrics
    assert 'dppctl_proxy_requests_total{method="",route="none",status="404"} 1.0' in metrics
    assert "dppctl_proxy_wrong_tokens_total 1.0" in metrics
