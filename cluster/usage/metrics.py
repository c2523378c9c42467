"""What Prometheus is told of limits and the log."""

from flask import Response
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from cluster.usage.limit_rules import UNITS
from cluster.usage.service import UsageService


class UsageMetrics:
    """What is counted since the start, and what is so now."""

    def __init__(self, service: UsageService) -> None:
        """Begin to count."""
        self._registry = CollectorRegistry()
        Gauge("dppctl_reservations", "Places of runs that are taken", registry=self._registry).set_function(
            service.reservations.count_open
        )
        self._refusals = Counter(
            "dppctl_limit_refusals", "Runs that were refused, by limit", ["limit"], registry=self._registry
        )
        self._events = Counter("dppctl_usage_events", "Events that were taken for the log", registry=self._registry)
        self._stopped = Counter(
            "dppctl_limit_stops", "Runs that were stopped, by limit", ["limit"], registry=self._registry
        )
        for name in (*UNITS, "banned"):
            self._refusals.labels(name)

    def count_refusal(self, limit: str) -> None:
        """Count a run that was refused."""
        self._refusals.labels(limit).inc()

    def count_stop(self, limit: str) -> None:
        """Count a run that was stopped."""
        self._stopped.labels(limit).inc()

    def count_events(self, count: int) -> None:
        """Count events."""
        self._events.inc(count)

    def respond(self) -> Response:
        """Answer with all of it, as Prometheus reads it."""
        return Response(generate_latest(self._registry), content_type=CONTENT_TYPE_LATEST)
