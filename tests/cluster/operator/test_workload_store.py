"""Uploads: what is kept, and that nothing is left of what is refused. Over HTTP, as the proxy does it."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from cluster.limits import UNUSED_WORKLOAD_SECONDS
from cluster.operator.event_files import EventFiles
from cluster.operator.http_server import OperatorHttp
from cluster.operator.operator import Operator
from cluster.operator.workload_store import WorkloadStore
from tests.support.asynchronous import run_async
from tests.support.small_disk import fill, small_disk

CONTENT = b"a workload" * 1000
DIGEST = hashlib.sha256(CONTENT).hexdigest()
Put = Callable[..., Coroutine[None, None, tuple[int, str]]]


def served(folder: Path, story: Callable[[WorkloadStore, Put], Coroutine[None, None, None]]) -> None:
    """Run a story with a store and what uploads to it, and returns the status and the code of the answer."""

    async def work() -> None:
        workloads = WorkloadStore(folder / "workloads")
        operator = Operator(None, b"key", workloads, EventFiles(folder / "events"))
        runner = web.AppRunner(OperatorHttp(operator, workloads, "t0k3n").application(), shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = "http://{}:{}/workloads".format(*runner.addresses[0])

        async def put(digest: str, content: object = CONTENT, method: str = "PUT", **options: object) -> object:
            async with session.request(method, f"{url}/{digest}", data=content, **options) as answer:
                found = await answer.json() if method == "PUT" else {}
                return answer.status, found.get("code", "")

        async with aiohttp.ClientSession(headers={"Authorization": "Bearer t0k3n"}) as session:
            await story(workloads, put)
        await runner.cleanup()

    run_async(work())


def test_a_workload_is_kept_once_and_what_is_wrong_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(workloads: WorkloadStore, put: Put) -> None:
        assert await put(DIGEST, None, "HEAD") == (404, "")
        assert await put(DIGEST, headers={"Authorization": "Bearer other"}) == (401, "unauthorized")
        assert await put("1" * 64) == (400, "wrong-hash")
        assert await put("../../etc/passwd") == (404, "not-found")
        assert await put(DIGEST) == (201, "")
        assert await put(DIGEST) == (200, "")
        assert await put(DIGEST, None, "HEAD") == (200, "")
        assert workloads.path(DIGEST).read_bytes() == CONTENT
        monkeypatch.setattr("cluster.operator.http_server.MAX_WORKLOAD_BYTES", 9)
        assert await put("2" * 64) == (413, "workload-too-large")
        monkeypatch.setattr("cluster.operator.workload_store.MAX_WORKLOAD_BYTES", 9)
        assert await put("2" * 64, chunks(CONTENT)) == (413, "workload-too-large")
        monkeypatch.setattr("cluster.operator.http_server.UPLOAD_SILENCE_SECONDS", 0.1)
        assert await put("3" * 64, chunks(b"a", then_wait=5)) == (408, "upload-silent")
        assert os.listdir(workloads.folder) == [DIGEST]

    served(tmp_path, story)


@pytest.mark.needs("root")
def test_a_full_disk_is_said_and_takes_it_later(tmp_path: Path) -> None:
    async def story(workloads: WorkloadStore, put: Put) -> None:
        filler = fill(disk)
        assert await put(DIGEST) == (507, "disk-full")
        filler.unlink()
        assert os.listdir(workloads.folder) == []
        assert await put(DIGEST) == (201, "")

    with small_disk(tmp_path / "disk", 64) as disk:
        served(disk, story)


def test_what_no_run_names_goes_after_a_day_and_a_kills_rest_at_the_start(tmp_path: Path) -> None:
    for name in ("1" * 64, "2" * 64, "3" * 64, "x.part"):
        (tmp_path / name).touch()
    for name in "12":
        os.utime(tmp_path / (name * 64), (0, os.stat(tmp_path).st_mtime - UNUSED_WORKLOAD_SECONDS - 9))
    workloads = WorkloadStore(tmp_path)
    assert not (tmp_path / "x.part").exists()
    workloads.remove_unused({"1" * 64})
    assert sorted(path.name[0] for path in tmp_path.iterdir()) == ["1", "3"]
    assert workloads.has("1" * 64)
    workloads.remove_unused(())  # it was just asked for
    assert workloads.has("1" * 64)


async def chunks(content: bytes, then_wait: float = 0) -> AsyncIterator[bytes]:
    yield content
    await asyncio.sleep(then_wait)
