"""Sync's HTTP: the bot wakes it, Kubernetes asks how it is, Prometheus what it did."""

import hmac
import time
from collections.abc import Iterator

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.registry import Collector
from werkzeug.wrappers import Request, Response

from bot.probes import Check, Probes, json_response
from cluster.limits import MAX_WAKE_BYTES, SYNC_STUCK_SECONDS
from cluster.sync.helm.helm import Helm
from cluster.sync.helm.sync import HelmSync


class SyncApplication:
    """A WSGI application, `respond`, that answers `POST /wake` and the probes."""

    def __init__(self, token: str, sync: HelmSync, helm: Helm, waiting: Check = lambda: None) -> None:
        """Wake `sync` for those who know the token, and tell how it and `helm` are; `waiting`: why it does not work."""
        self._bearer = f"Bearer {token}".encode()
        self._sync = sync
        self._waiting = waiting
        self._probes = Probes(self._health_problem, self._ready_problem, _Metrics(sync, helm))
        self.respond = Request.application(self._respond)

    def _respond(self, request: Request) -> Response:
        if request.method != "POST":
            return Response.from_app(self._probes.respond, request.environ)
        if request.path != "/wake":
            return json_response(404, error="there is only POST /wake")
        if not hmac.compare_digest(request.headers.get("Authorization", "").encode(), self._bearer):
            return json_response(401, error="the bearer token is not sync's")
        request.stream.read(MAX_WAKE_BYTES)
        self._sync.wake()
        return json_response(202, outcome="accepted")

    def _health_problem(self) -> str | None:
        if self._waiting():
            return None
        age = time.monotonic() - max(self._sync.counts.looked, self._sync.started)
        return None if age < SYNC_STUCK_SECONDS else "no pass ends"

    def _ready_problem(self) -> str | None:
        return self._waiting() or (None if self._sync.counts.looked else "the first pass has not ended")


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
