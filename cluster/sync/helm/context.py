"""What all deployments of the in-cluster sync work with."""

import json
import re
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bot.errors import DppctlError
from bot.kubernetes import KubernetesClient
from bot.model.reports import SyncEvent
from bot.model.safe_yaml import read_yaml
from bot.model.values import Compared
from cluster.limits import MAX_PEOPLES_VALUES_BYTES
from cluster.sync.helm.charts import Charts
from cluster.sync.helm.desired import Desired, ReleaseTarget, chart_path
from cluster.sync.helm.helm import Helm
from cluster.sync.helm.job_run import JobLimits
from cluster.sync.repositories import Repositories

# A chart with this annotation leaves to sync what it does later itself: a Job's ttlSecondsAfterFinished. Others get no
# values but those of the ops repo, as their schemas may refuse them.
_KNOWS_SYNC = "dppctl.io/knows-sync"
_TTL = "ttlSecondsAfterFinished"
_SECONDS = re.compile(r"\d{1,9}", re.ASCII)


@dataclass(frozen=True)
class ChartFacts:
    """What sync tells a chart that knows it, beside the ops repo's values.

    before: what the environment's data is, for the check of what comes; deployment: its number, as far as the receiver
    said it; restores: it goes back to what its Job left before, and nothing is to run.
    """

    before: Compared | None = None
    deployment: int | None = None
    restores: bool = False

    def as_value(self) -> dict[str, object]:
        """Return the chart's value `global.dppctl`."""
        before = {"before": self.before.model_dump(mode="json")} if self.before else {}
        number = {"deployment": self.deployment} if self.deployment else {}
        return {"sync": True, **before, **number, **({"restores": True} if self.restores else {})}


@dataclass(frozen=True)
class SyncContext:
    """What all deployments work with."""

    api: KubernetesClient
    helm: Helm
    charts: Charts
    repositories: Repositories
    report: Callable[[SyncEvent], int | None]  # a Reporter's `post`; raises ClusterError
    slots: threading.Semaphore  # of helms at a time; Jobs run beside them
    limits: JobLimits = JobLimits()  # noqa: RUF009 (it is frozen)
    repair: bool = True  # drift


def read_values_files(context: SyncContext, location: ReleaseTarget, desired: Desired) -> dict[str, bytes]:
    """Return what the values files hold, by path in the ops repo, in helm's order. Raises DppctlError."""
    asked = [(desired.ops_head, path) for path in desired.value_files]
    with context.repositories.open(location.target.ops.repository) as ops:
        return {path: content or b"" for (_, path), content in ops.read(asked, MAX_PEOPLES_VALUES_BYTES).items()}


@contextmanager
def files_for_helm(
    context: SyncContext,
    location: ReleaseTarget,
    desired: Desired,
    contents: Mapping[str, bytes],
    facts: ChartFacts = ChartFacts(),
) -> Iterator[tuple[Path, list[Path]]]:
    """Give the chart's folder and the values files, as long as the block; `contents`: theirs. Raises DppctlError."""

    def export(folder: Path) -> None:
        with context.repositories.use(location.target.ops.repository) as ops:
            ops.files(desired.ops_head, chart_path(location.target)).export(folder)

    with (
        context.charts.use(desired.chart, export) as chart,
        tempfile.TemporaryDirectory(prefix="dppctl-helm-") as folder,
    ):
        files = []
        about = (chart / "Chart.yaml").read_text(errors="replace")
        if _KNOWS_SYNC in about:
            files.append(Path(folder, "by-sync.json"))
            files[0].write_text(json.dumps({"global": {"dppctl": facts.as_value()}}))
        for path, content in contents.items():
            files.append(Path(folder, path.rpartition("/")[2]))
            files[-1].write_bytes(content)
        if _KNOWS_SYNC not in about and ttl_of(contents) is not None:  # an older copy of the chart knows the value
            files.append(Path(folder, "later.json"))
            files[-1].write_text(json.dumps({_TTL: None}))
        yield chart, files


def ttl_of(contents: Mapping[str, bytes]) -> int | None:
    """Return the ttlSecondsAfterFinished that values files give, the last of which wins; None: they give no number."""
    found: object = None
    for path, content in contents.items():
        with suppress(DppctlError):  # helm says what is wrong with it
            values, _ = read_yaml(content.decode(errors="replace"), path)
            found = values.get(_TTL, found) if isinstance(values, Mapping) else found
    return int(found) if isinstance(found, str) and _SECONDS.fullmatch(found) else None
