"""Sync's HTTP: the bot wakes it, Kubernetes asks how it is, Prometheus what it did."""

import hmac
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.registry import Collector

from cluster.errors import ClusterError
from cluster.limits import MAX_WAKE_BYTES, SYNC_STUCK_SECONDS
from cluster.sync.helm.helm import Helm
from cluster.sync.helm.sync import HelmSync


class Server:
    """Listens from its making until `close`."""

    def __init__(self, host: str, port: int, token: str, sync: HelmSync, helm: Helm) -> None:
        """`port` 0: any free one. Raises ClusterError when the address cannot be used."""
        handler = type(
            "Handler",
            (_Handler,),
            {"bearer": f"Bearer {token}".encode(), "sync": sync, "metrics": _registry(sync, helm)},
        )
        try:
            self._server = _Server((host, port), handler)
        except OSError as error:
            raise ClusterError(f"DPPCTL_HOST {host}, DPPCTL_PORT {port}: {error.strerror}") from None
        self.address = f"http://{host}:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=[0.2], name="http", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the server, so that nothing is answered any more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True


class _Handler(BaseHTTPRequestHandler):
    bearer: bytes
    sync: HelmSync
    metrics: CollectorRegistry
    timeout = 10

    def do_POST(self) -> None:
        """`/wake`."""
        if self.path != "/wake":
            return self._answer(404, error="there is only POST /wake")
        if not hmac.compare_digest(self.headers.get("Authorization", "").encode(), self.bearer):
            return self._answer(401, error="the bearer token is not sync's")
        self.rfile.read(min(int(self.headers.get("Content-Length") or 0), MAX_WAKE_BYTES))
        self.sync.wake()
        return self._answer(202, outcome="accepted")

    def do_GET(self) -> None:
        """`/healthz`, `/readyz`, `/metrics`."""
        looked = self.sync.counts.looked
        if self.path == "/metrics":
            return self._send(200, generate_latest(self.metrics), CONTENT_TYPE_LATEST)
        if self.path == "/healthz":
            age = time.monotonic() - max(looked, self.sync.started)
            return (
                self._answer(200, status="ok") if age < SYNC_STUCK_SECONDS else self._answer(503, error="no pass ends")
            )
        if self.path == "/readyz":
            return self._answer(200, status="ok") if looked else self._answer(503, error="the first pass has not ended")
        return self._answer(404, error="not found")

    def _answer(self, code: int, **body: str) -> None:
        self._send(code, json.dumps(body).encode(), "application/json")

    def _send(self, code: int, body: bytes, kind: str) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Silent: probes come every few seconds."""


def _registry(sync: HelmSync, helm: Helm) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(_Metrics(sync, helm))
    return registry


class _Metrics(Collector):
    def __init__(self, sync: HelmSync, helm: Helm) -> None:
        self._sync = sync
        self._helm = helm

    def collect(self) -> Iterator[Metric]:
        counts = self._sync.counts
        yield SummaryMetricFamily(
            "dppctl_sync_pass_seconds",
            "how long passes over all environments took",
            count_value=counts.passes,
            sum_value=counts.pass_seconds,
        )
        phases = GaugeMetricFamily("dppctl_sync_environments", "environments by how they are", labels=["phase"])
        for phase, number in sorted(counts.phases.items()):
            phases.add_metric([phase], number)
        yield phases
        done = CounterMetricFamily("dppctl_sync_actions", "what was done to environments", labels=["action"])
        for action, number in sorted(counts.done.items()):
            done.add_metric([action], number)
        yield done
        drift = GaugeMetricFamily(
            "dppctl_sync_drifted_objects",
            "objects that the last check found changed by hand",
            labels=["app", "environment"],
        )
        for target, number in counts.drift.items():
            drift.add_metric([str(target.app), target.environment], number)
        yield drift
        yield CounterMetricFamily(
            "dppctl_sync_errors", "what could not be done, and is tried again", value=counts.errors
        )
        yield CounterMetricFamily("dppctl_sync_helm_runs", "helm processes that were started", value=self._helm.runs)
        yield CounterMetricFamily("dppctl_sync_helm_errors", "helm processes that failed", value=self._helm.errors)
