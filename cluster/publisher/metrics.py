"""What Prometheus hears of the publisher."""

from collections.abc import Callable, Iterable

from prometheus_client import Counter, Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector


class PublisherMetrics(Collector):
    """How many publications ended and how, how many bytes they had, and how many are being copied."""

    def __init__(self, copying: Callable[[], int]) -> None:
        """Take what returns how many are being copied."""
        self._copying = copying
        self._ended = Counter("dppctl_publications_total", "Publications that ended", ["state"], registry=None)
        self._bytes = Counter("dppctl_published_bytes_total", "Bytes of files that were published", registry=None)

    def count(self, state: str, size: int) -> None:
        """Count one that ended (`published`, `failed`), and its bytes."""
        self._ended.labels(state).inc()
        if state == "published":
            self._bytes.inc(size)

    def collect(self) -> Iterable[Metric]:
        """Return the metrics."""
        copying = GaugeMetricFamily("dppctl_publications_copying", "Publications that are being copied")
        copying.add_metric([], self._copying())
        return [*self._ended.collect(), *self._bytes.collect(), copying]
