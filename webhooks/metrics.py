"""Collect what `/metrics` tells from the store when asked, so it is the same in each of the receiver's processes.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from collections.abc import Iterator

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.registry import Collector

from bot.store.store import Store

_TOTALS = {
    "deliveries_limited": "webhook deliveries refused, as too many of their repository came in a minute",
    "git_calls": "git commands run by the bot",
    "git_errors": "git commands of the bot that failed",
    "github_calls": "calls of GitHub's API by the bot",
    "github_errors": "calls of GitHub's API by the bot that failed",
    "ops_commits": "commits that the bot made in ops repos",
    "ops_pushes": "pushes of the bot to ops repos",
    "ops_conflicts": "pushes refused because somebody else had pushed, and made again",
}


class StoreMetrics(Collector):
    """Counts what the store holds."""

    def __init__(self, store: Store) -> None:
        """Count in `store`."""
        self._store = store

    def describe(self) -> list[Metric]:
        """Return nothing, so that the store is not asked when this is registered."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield what there is now. Raises SQLAlchemyError when the store does not answer."""
        counts = self._store.counts()
        yield GaugeMetricFamily(
            "dppctl_queue_depth", "deliveries and requests that wait for the bot", value=counts.queue
        )
        deliveries = GaugeMetricFamily("dppctl_deliveries", "webhook deliveries by outcome", labels=["outcome"])
        for outcome, number in sorted(counts.deliveries.items()):
            deliveries.add_metric([outcome], number)
        yield deliveries
        deployments = GaugeMetricFamily("dppctl_deployments", "deployments by state", labels=["state"])
        for state, number in sorted(counts.deployments.items()):
            deployments.add_metric([state], number)
        yield deployments
        totals = counts.totals
        yield SummaryMetricFamily(
            "dppctl_reconcile_duration_seconds",
            "how long the bot's reconciles took",
            count_value=int(totals.get("reconciles", 0)),
            sum_value=totals.get("reconcile_seconds", 0.0),
        )
        for name, text in _TOTALS.items():
            yield CounterMetricFamily(f"dppctl_{name}", text, value=totals.get(name, 0.0))
