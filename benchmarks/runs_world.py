"""Where runs are measured: a real API server with its controllers, an operator in a process of its own, real HTTP.

A thread stands for the kubelets, and serves a worker for each pod. `DPPCTL_TEST_KUBECONFIG` names the API server.
"""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any
from unittest.mock import patch

from benchmarks.bench import Bench
from benchmarks.report import Result, Row
from tests.support.stories.named_run import NamedRun
from tests.support.stories.operator_world import OperatorWorld, RunsNamespace
from tests.support.stories.runs_processes import ServerProcess, operator_process

PORT = 8080  # of a worker in its pod


def kubeconfig() -> str:
    """Return the API server's kubeconfig, or nothing."""
    return os.environ.get("DPPCTL_TEST_KUBECONFIG", "")


def not_measured(title: str) -> Result:
    """Return that there is no API server."""
    return Result(title, [Row(title, "", "DPPCTL_TEST_KUBECONFIG names no cluster", None)])


@contextmanager
def world_of(bench: Bench, *, waiting: int, most: int) -> Iterator[OperatorWorld]:
    """Make a namespace with a pool, and end it."""
    with (
        patch("worker.server.Run", NamedRun),
        patch("worker.server._WorkerHandler.log_message"),
        closing(OperatorWorld(bench.new_folder(), kubeconfig(), PORT, waiting=waiting, most=most)) as world,
    ):
        yield world


@contextmanager
def operator_of(world: OperatorWorld) -> Iterator[ServerProcess]:
    """Run an operator in this context."""
    operator = operator_process(world, kubeconfig())
    try:
        yield operator
    finally:
        operator.stop()


def wait_for_workers(world: RunsNamespace, count: int) -> None:
    """Wait until so many workers wait."""
    deadline = time.time() + 60
    while sum(map(_waits, world.pods())) < count:
        if time.time() > deadline:
            raise TimeoutError("the workers do not come")
        time.sleep(0.05)


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the value that so many percent do not pass."""
    return sorted(values)[min(len(values) - 1, len(values) * percent // 100)]


def _waits(pod: Any) -> bool:
    ready = any((each["type"], each["status"]) == ("Ready", "True") for each in pod["status"].get("conditions") or [])
    return ready and pod["metadata"]["labels"].get("dppctl.io/state") == "available"
