"""What Prometheus is told of limits and the log."""

from collections.abc import Iterator

from prometheus_client import Counter
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from cluster.usage.limit_rules import UNITS
from cluster.usage.service import UsageService


class UsageMetrics(Collector):
    """What was counted since the start, and what is so now."""

    def __init__(self, service: UsageService) -> None:
        """Begin to count."""
        self._service = service
        what, labels = "runs that were refused, by limit", ["limit"]
        self._refusals = Counter("dppctl_limit_refusals", what, labels, registry=None)
        self._stops = Counter("dppctl_limit_stops", "runs that were stopped, by limit", labels, registry=None)
        self._events = Counter("dppctl_usage_events", "events that were taken for the log", registry=None)
        for name in (*UNITS, "banned"):
            self._refusals.labels(name)

    def count_refusal(self, limit: str) -> None:
        """Count a run that was refused."""
        self._refusals.labels(limit).inc()

    def count_stop(self, limit: str) -> None:
        """Count a run that was stopped."""
        self._stops.labels(limit).inc()

    def count_events(self, count: int) -> None:
        """Count events."""
        self._events.inc(count)

    def describe(self) -> list[Metric]:
        """Return nothing, so that the database is not asked when this is registered."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield each metric as it is now. Raises SQLAlchemyError when the database does not answer."""
        open_now = self._service.reservations.count_open()
        yield GaugeMetricFamily("dppctl_reservations", "open reservations of runs", value=open_now)
        for counter in (self._refusals, self._stops, self._events):
            yield from counter.collect()
