"""An operator that is ended at each step of a run, and the next one, which must neither lose nor double anything.

What it was at hangs at that step until it is ended, so that nothing after it is done: as by a kill.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from cluster.operator.api import OperatorApi
from cluster.operator.state import DATABASE
from cluster.operator.workers import WorkerClient
from tests.support.stories.github import free_port
from tests.support.stories.named_run import NamedRun
from tests.support.stories.operator_world import OperatorWorld
from tests.support.waiting import eventually

pytestmark = pytest.mark.needs("an API server")

Hangs = Callable[..., bool]
# What hangs, and for which arguments.
STEPS: dict[str, tuple[type, str, Hangs]] = {
    "before it claims anything": (OperatorApi, "claim", lambda *_: True),
    "between database and worker": (OperatorApi, "claim", lambda _, pod: pod.component != DATABASE),
    "before it says who has it": (OperatorApi, "write_status", lambda _, status: status.get("phase") == "Assigned"),
    "before the upload": (WorkerClient, "put_workload", lambda *_: True),
    "between upload and start": (WorkerClient, "start", lambda *_: True),
    "before it says that it runs": (OperatorApi, "write_status", lambda _, status: status.get("phase") == "Running"),
    "before it says how it ended": (OperatorApi, "write_status", lambda _, status: "finishedAt" in status),
    "before the worker is removed": (OperatorApi, "remove_pod", lambda *_: True),
}


@pytest.fixture
def world(tmp_path: Path, kubeconfig: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[OperatorWorld]:
    monkeypatch.setattr("worker.server.Run", NamedRun)
    monkeypatch.setattr("cluster.operator.run_task.WORKER_RETRY_SECONDS", 0.1)
    with closing(OperatorWorld(tmp_path, kubeconfig, free_port(), databases=2)) as made:
        yield made


def hang(monkeypatch: pytest.MonkeyPatch, kind: type, method: str, hangs: Hangs) -> list[str]:
    """Have calls of a method hang; return where it is noted that it came to that."""
    reached: list[str] = []
    real = getattr(kind, method)

    async def call(self: Any, *arguments: Any) -> Any:
        if hangs(*arguments):
            reached.append(method)
            await asyncio.Event().wait()
        return await real(self, *arguments)

    monkeypatch.setattr(kind, method, call)
    return reached


def test_whatever_an_operator_was_at_the_next_one_goes_on(world: OperatorWorld) -> None:
    used: set[str] = set()
    for step, (kind, method, hangs) in STEPS.items():
        with pytest.MonkeyPatch.context() as patched:
            reached = hang(patched, kind, method, hangs)
            with world.operator():
                name = world.ask("rows", database="postgres", keepSeconds=0)
                eventually(lambda reached=reached: reached, f"it comes to the point {step}")
        with world.operator():
            status = world.until(name, "Succeeded")
            uid = world.run(name)["metadata"]["uid"]
            eventually(lambda uid=uid: uid not in assigned(world), f"{step}: its pods are gone")
        assert len(world.handed[uid]) == 1, step
        own = {status["worker"]["uid"], status["database"]["uid"]}
        assert not own & used, f"{step}: a pod has two runs"
        used |= own
        numbers = [event["number"] for event in world.events_of(name)]
        assert numbers == list(range(1, len(numbers) + 1)), step
        assert world.events_of(name)[-1]["event"] == "closed", step


def assigned(world: OperatorWorld) -> set[str]:
    return {pod["metadata"]["labels"].get("dppctl.io/run", "") for pod in world.pods()}
