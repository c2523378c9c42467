"""Pods of a test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.local import processes
from cluster.local.sessions import record, supervisor
from cluster.local.sessions.record import Session
from cluster.local.sessions.supervisor import Supervisor
from tests.support.sessions import StartRun


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The data folder; sessions that a test leaves are ended."""
    folder = tmp_path / "data"
    monkeypatch.setenv("DPPCTL_DATA_DIR", str(folder))
    yield folder
    for session in record.all_sessions():
        processes.end(session.supervisor)
        session.remove()


@pytest.fixture
def start_run(data: Path) -> StartRun:
    """`worker, db, kept = start_run("postgres", keep=1)`: what `dppctl run` does before the pipelines start."""

    def start(database: str = "sqlite", keep: float = 60) -> tuple[Session, Session, Supervisor]:
        worker = record.create("worker", pipeline="all", workload=str(data))
        db = record.create("db", pipeline="all")
        return worker, db, supervisor.start(worker, database, db, keep)

    return start
