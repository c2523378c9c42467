"""A worker's image is somebody's own: whatever it tells in a worker's place ends its run, and nothing else."""

import asyncio
import json
import tracemalloc
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from cluster.limits import MAX_RUN_EVENT_BYTES, MAX_RUN_EVENTS_BYTES, MAX_RUN_RESULTS_BYTES
from cluster.operator.event_files import EventFiles
from cluster.operator.model import Phase, RunSpec
from cluster.operator.run_task import HandOver, RunTask
from cluster.operator.state import PoolPod, RunState
from cluster.operator.workers import WorkerAwayError, WorkerClient
from tests.support.asynchronous import run_async

_POD = PoolPod("w-1", "uid-1", "default", "assigned")
_MB = b"x" * 2**20


def end_of(folder: Path, *pieces: bytes, times: int = 1) -> dict[str, Any]:
    """Return the status in which a run ends whose worker sends these pieces, again and again."""

    async def events(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        for _ in range(times):
            for piece in pieces:
                await answer.write(piece)
        await asyncio.sleep(60)  # it does not end by itself
        return answer

    async def health(_: web.Request) -> web.Response:
        return web.json_response({"state": "running", "run": "r-1"})

    async def follow(address: str, session: aiohttp.ClientSession) -> dict[str, Any]:
        told: list[dict[str, Any]] = []

        async def tell(status: dict[str, Any]) -> None:
            told.append(status)

        run = RunState("run-1", "r-1", 0.0, RunSpec(pipelines=("all",)), phase=Phase.RUNNING)
        worker = WorkerClient(session, address, "token")
        await RunTask(run, _POD, worker, HandOver(None), EventFiles(folder).open("r-1"), tell).execute()
        return told[-1]

    async def work() -> dict[str, Any]:
        application = web.Application()
        application.add_routes([web.get("/health", health), web.get("/events", events)])
        runner = web.AppRunner(application, shutdown_timeout=0, handler_cancellation=True)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            async with aiohttp.ClientSession() as session, asyncio.timeout(30):
                return await follow("{}:{}".format(*runner.addresses[0]), session)
        finally:
            await runner.cleanup()

    return run_async(work())


@pytest.mark.parametrize(
    "told",
    [
        {"event": "progress"},
        {"event": "progress", "pipeline": "./a", "rows": 10**30},
        {"event": "progress", "pipeline": "./a", "rows": -1},
        {"event": "finished", "result": []},
        {"event": "invalid", "errors": {"where": "here"}},
        {"event": "ended", "receipt": {"status": "succeeded", "pipelines": [{"id": "a" * 2_000, "status": "failed"}]}},
        {"event": "started", "number": 2**64},
        {"event": "published", "bytes": -(10**12)},  # that would be taken from what its user has published
        ["event"],
    ],
)
def test_what_no_worker_tells_ends_the_run(tmp_path: Path, told: object) -> None:
    end = end_of(tmp_path, json.dumps(told).encode() + b"\n")
    assert end["phase"] == "Failed"
    assert end["message"].startswith("the worker tells what no worker tells: '")
    assert "publishedBytes" not in end


def test_so_does_an_event_that_is_nested_without_end(tmp_path: Path) -> None:
    end = end_of(tmp_path, b'{"event": "written", "items": ' + b"[" * 100_000 + b"\n")
    assert end["message"].startswith("the worker tells what no worker tells: '")


def test_so_does_a_line_without_end_and_no_more_of_it_is_read_than_an_event_may_have(tmp_path: Path) -> None:
    tracemalloc.start()
    try:
        end = end_of(tmp_path, _MB, times=200)
        assert tracemalloc.get_traced_memory()[1] < 3 * MAX_RUN_EVENT_BYTES
    finally:
        tracemalloc.stop()
    assert end["message"] == f"the worker tells an event of more than {MAX_RUN_EVENT_BYTES:,} bytes"


def test_so_do_more_events_than_are_kept(tmp_path: Path) -> None:
    end = end_of(tmp_path, b'{"event": "mine", "text": "' + _MB + b'"}\n', times=100)
    assert end["message"] == f"the worker tells more than {MAX_RUN_RESULTS_BYTES:,} bytes besides the log and progress"
    assert (tmp_path / "r-1.jsonl").stat().st_size <= MAX_RUN_EVENTS_BYTES + MAX_RUN_RESULTS_BYTES


def test_an_answer_without_end_is_none() -> None:
    async def health(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        while True:
            await answer.write(_MB)

    async def work() -> None:
        application = web.Application()
        application.add_routes([web.get("/health", health)])
        runner = web.AppRunner(application, shutdown_timeout=0, handler_cancellation=True)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            async with aiohttp.ClientSession() as session, asyncio.timeout(5):
                with pytest.raises(WorkerAwayError, match="more than 65,536 bytes"):
                    await WorkerClient(session, "{}:{}".format(*runner.addresses[0]), "token").health()
        finally:
            await runner.cleanup()

    run_async(work())
