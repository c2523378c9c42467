"""What all deployments of the in-cluster sync work with."""

import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bot.kubernetes import KubernetesClient
from bot.model.reports import SyncEvent
from cluster.limits import MAX_PEOPLES_VALUES_BYTES
from cluster.sync.helm.charts import Charts
from cluster.sync.helm.desired import Desired, ReleaseTarget, chart_path
from cluster.sync.helm.helm import Helm
from cluster.sync.helm.job_run import JobLimits
from cluster.sync.repositories import Repositories


@dataclass(frozen=True)
class SyncContext:
    """What all of them work with."""

    api: KubernetesClient
    helm: Helm
    charts: Charts
    repositories: Repositories
    report: Callable[[SyncEvent], None]  # a Reporter; raises ClusterError
    slots: threading.Semaphore  # of helms at a time; Jobs run beside them
    limits: JobLimits = JobLimits()  # noqa: RUF009 (it is frozen)
    repair: bool = True  # drift


def read_values_files(means: SyncContext, place: ReleaseTarget, wanted: Desired) -> dict[str, bytes]:
    """What the values files hold, by path in the ops repo, in the order that helm takes them. Raises DppctlError."""
    asked = [(wanted.ops_head, path) for path in wanted.value_files]
    with means.repositories.use(place.target.ops.repository) as ops:
        return {path: content or b"" for (_, path), content in ops.read(asked, MAX_PEOPLES_VALUES_BYTES).items()}


@contextmanager
def files_for_helm(
    means: SyncContext, place: ReleaseTarget, wanted: Desired, contents: Mapping[str, bytes]
) -> Iterator[tuple[Path, list[Path]]]:
    """The chart's folder and the values files, as long as the block; `contents`: theirs. Raises DppctlError."""

    def export(folder: Path) -> None:
        with means.repositories.use(place.target.ops.repository) as ops:
            ops.export(wanted.ops_head, chart_path(place.target), folder)

    with means.charts.use(wanted.chart, export) as chart, tempfile.TemporaryDirectory(prefix="dppctl-helm-") as folder:
        files = []
        for path, content in contents.items():
            files.append(Path(folder, path.rpartition("/")[2]))
            files[-1].write_bytes(content)
        yield chart, files
