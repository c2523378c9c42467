"""Pods of a test's own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cluster.local import keeper, pods, processes
from cluster.local.keeper import Keeper
from cluster.local.pods import Pod


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The data folder; pods that a test leaves are ended."""
    folder = tmp_path / "data"
    monkeypatch.setenv("DPPCTL_DATA_DIR", str(folder))
    yield folder
    for pod in pods.all_pods():
        processes.end(pod.keeper)
        pod.remove()


StartRun = Callable[..., tuple[Pod, Pod, Keeper]]


@pytest.fixture
def start_run(data: Path) -> StartRun:
    """`worker, db, kept = start_run("postgres", keep=1)`: what `dppctl run` does before the pipelines start."""

    def start(database: str = "sqlite", keep: float = 60) -> tuple[Pod, Pod, Keeper]:
        worker = pods.create("worker", pipeline="all", workload=str(data))
        db = pods.create("db", pipeline="all")
        return worker, db, keeper.start(worker, database, db, keep)

    return start
