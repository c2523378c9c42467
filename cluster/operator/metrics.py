"""What Prometheus is told of the operator, from what it sees at the moment and what it counted since its start."""

from collections import Counter
from collections.abc import Callable, Iterator

from prometheus_client import Histogram
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from cluster.operator.event_files import EventFiles
from cluster.operator.model import Phase
from cluster.operator.state import ASSIGNED, AVAILABLE, DATABASE, WORKER, OperatorState


class OperatorCounts:
    """What the operator counts."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.outcomes: Counter[str] = Counter()  # runs that ended, by phase
        self.refused_claims = 0
        buckets = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0)
        what = "from the creation of a run to the assignment of its worker"
        self.assign_seconds = Histogram("dppctl_run_assign_seconds", what, registry=None, buckets=buckets)


class OperatorMetrics(Collector):
    """Collects the metrics of one operator."""

    def __init__(
        self, counts: OperatorCounts, events: EventFiles, state: Callable[[], OperatorState], age: Callable[[], float]
    ) -> None:
        """Take what the operator counts, what returns the objects that it sees, and how old its last listing is."""
        self._counts, self._events, self._state, self._age = counts, events, state, age

    def collect(self) -> Iterator[Metric]:
        """Yield each metric as it is now."""
        state = self._state()
        yield _labelled(
            CounterMetricFamily("dppctl_runs", "runs that ended", labels=["outcome"]),
            {phase: self._counts.outcomes[phase] for phase in Phase if phase.has_ended},
        )
        yield from self._counts.assign_seconds.collect()
        yield CounterMetricFamily(
            "dppctl_claims_refused", "claims of a worker that another had", value=self._counts.refused_claims
        )
        yield GaugeMetricFamily(
            "dppctl_runs_pending",
            "runs that wait for a worker",
            value=sum(run.phase is Phase.PENDING for run in state.runs),
        )
        for component in (WORKER, DATABASE):
            pods = [pod for pod in state.pods if pod.component == component]
            count = Counter(pod.state if pod.is_ready or pod.run else "starting" for pod in pods)
            yield _labelled(
                GaugeMetricFamily(f"dppctl_{component}s", f"{component}s by their state", labels=["state"]),
                {name: count[name] for name in ("starting", AVAILABLE, ASSIGNED)},
            )
        yield GaugeMetricFamily(
            "dppctl_watch_age_seconds", "since all runs, pods and pools were listed", value=self._age()
        )
        yield CounterMetricFamily(
            "dppctl_events_dropped", "events of runs that were too many to be kept", value=self._events.dropped
        )


def _labelled(
    family: CounterMetricFamily | GaugeMetricFamily, values: dict[str, int]
) -> CounterMetricFamily | GaugeMetricFamily:
    for name, value in values.items():
        family.add_metric([str(name)], value)
    return family
